"""What the library offers, read from its source: no import, so that the book never starts a backend.

The public names are those of `drsn_lib.__all__`, of each submodule's `__all__`, and of the `__all__` of a
submodule's own submodules. For each name there is a `Thing`: its kind, parameters, docstring by parts, place
in the source, and, for a class, its public methods. The API pages are made of these, and the tests hold each
docstring against the code that it describes.
"""

import ast
import inspect
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "drsn_lib"
# What Keras calls by itself, and documents.
KERAS_PROTOCOL = {"build", "call", "compute_output_shape", "compute_output_spec", "compute_mask", "get_config"}
KERAS_PROTOCOL |= {"from_config", "build_from_config", "get_build_config"}
PARTS = ("Example", "Args", "Call arguments", "Input shape", "Output shape", "Returns", "Yields", "Raises")
PARTS += ("Formula", "Reference")
HEADER = re.compile(r"^([A-Z][A-Za-z]*(?: [a-z]+)*):$")
ITEM = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*): (.*)$")


class NotFound(LookupError):
    """A public name that the source does not define."""


@dataclass(frozen=True)
class Docstring:
    """A docstring by its parts.

    Args:
        summary: Its first paragraph.
        body: What follows, up to the first part.
        parts: Dictionary from a part's name, such as "Args", to its text without indentation.
    """

    summary: str = ""
    body: str = ""
    parts: dict = field(default_factory=dict)

    def items(self, part):
        """The `name: text` items of a part such as Args, as a dictionary in their order."""
        found, name = {}, None
        for line in self.parts.get(part, "").splitlines():
            item = ITEM.match(line)
            if item:
                name = item[1]
                found[name] = [item[2]]
            elif name is not None and (not line or line.startswith(" ")):
                found[name].append(line)
            elif line:
                raise ValueError(f"{part}: the line {line!r} is neither `name: text` nor indented below one")
        return {
            name: f"{lines[0]}\n{inspect.cleandoc(chr(10) + chr(10).join(lines[1:]))}".rstrip()
            for name, lines in found.items()
        }


@dataclass(frozen=True)
class Parameter:
    """One parameter as it is written: `name`, `name=default`, `*names`, `**names`, or a bare `*` or `/`."""

    text: str

    @property
    def name(self):
        """The name with its stars; empty for a bare `*` or `/`."""
        name = self.text.partition("=")[0]
        return "" if name in ("*", "/") else name


@dataclass(frozen=True)
class Thing:
    """One public name.

    Args:
        name: As the book calls it, such as `layers.Shrinkage`; a method's begins with that of its class.
        kind: "function", "class", "exception", "constant", "method", "property" or "module".
        docstring: Its `Docstring`.
        parameters: Tuple of `Parameter`, or None where there is nothing to call.
        bases: Names of a class's public bases, such as `keras.layers.Layer`.
        members: Tuple of the public methods and properties of a class, each a `Thing`.
        value: A constant's source.
        file: Path of the source file, from the repository's root.
        lines: First and last line.
        node: The syntax tree.
    """

    name: str
    kind: str
    docstring: Docstring
    parameters: tuple | None = None
    bases: tuple = ()
    members: tuple = ()
    value: str | None = None
    file: str = ""
    lines: tuple = (1, 1)
    node: ast.AST | None = None

    @property
    def short(self):
        """The name without its module."""
        return self.name.partition(".")[2] if self.kind in ("method", "property") else self.name.rpartition(".")[2]

    @property
    def signature(self):
        """How it is called, one parameter a line where one line would be long."""
        texts = [parameter.text for parameter in self.parameters]
        line = f"{self.name}({', '.join(texts)})"
        if len(line) <= 72:
            return line
        return f"{self.name}(\n" + "".join(f"    {text},\n" for text in texts) + ")"


@dataclass(frozen=True)
class Group:
    """The public names of one module, as far as no module above names them."""

    module: str
    docstring: Docstring
    things: tuple
    file: str


def parse_docstring(text):
    """Read a docstring of the library's form."""
    prose, parts, fenced = [], {}, False
    lines = prose
    for line in inspect.cleandoc(text or "").splitlines():
        header = None if fenced else HEADER.match(line)
        fenced ^= line.strip().startswith("```")
        if header and header[1] in PARTS:
            lines = parts[header[1]] = []
        else:
            lines.append(line)
    summary, _, body = "\n".join(prose).strip("\n").partition("\n\n")
    return Docstring(
        summary, body.strip("\n"), {name: inspect.cleandoc("\n" + "\n".join(found)) for name, found in parts.items()}
    )


class Source:
    """One Python file, parsed."""

    def __init__(self, path, module):
        self.path, self.module = path, module
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()

    @cached_property
    def tree(self):
        """The syntax tree."""
        return ast.parse(self.text)

    @property
    def is_package(self):
        """Whether it is the `__init__.py` of a package."""
        return self.path.name == "__init__.py"

    @cached_property
    def docstring(self):
        """The module's docstring."""
        return parse_docstring(ast.get_docstring(self.tree))

    @cached_property
    def exported(self):
        """The names of `__all__`, or None where there is none."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
            ):
                try:
                    return list(ast.literal_eval(node.value))
                except ValueError:
                    raise NotFound(f"{self.path}: __all__ must be a list of plain strings") from None
        return None

    @cached_property
    def definitions(self):
        """What the top level defines, by name: a class, a function or an assignment."""
        found = {}
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.Assign):
                found.update({t.id: node for t in node.targets if isinstance(t, ast.Name)})
            elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
                found[node.target.id] = node
        return found

    @cached_property
    def imports(self):
        """What the top level imports, by its name here: (module, name), or (module, None) for a module."""
        found = {}
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = (alias.name, None)
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if node.level:
                    base = self.module.split(".")
                    base = base[: len(base) - node.level + self.is_package]
                    module = ".".join([*base, *filter(None, [module])])
                found.update({alias.asname or alias.name: (module, alias.name) for alias in node.names})
        return found

    def segment(self, node):
        """The source of an expression, on one line."""
        if node.lineno != node.end_lineno:
            return " ".join(ast.get_source_segment(self.text, node).split())
        return self.lines[node.lineno - 1].encode()[node.col_offset : node.end_col_offset].decode()

    def comment_above(self, node):
        """The comment in the lines directly above a node."""
        lines, number = [], node.lineno - 2
        while number >= 0 and self.lines[number].startswith("#"):
            lines.insert(0, self.lines[number].lstrip("#").strip())
            number -= 1
        return "\n".join(lines)


class Library:
    """The package's source. `root` is the folder that holds the package."""

    def __init__(self, root=ROOT):
        self.root = Path(root)
        self._sources = {}

    # ------------------------------------------------------------ files

    def source(self, module):
        """The `Source` of a module by its dotted name, or None where there is no such file."""
        if module not in self._sources:
            base = self.root.joinpath(*module.split("."))
            paths = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
            self._sources[module] = Source(paths[0], module) if paths else None
        return self._sources[module]

    def files(self):
        """Every Python file of the package."""
        return sorted((self.root / PACKAGE).rglob("*.py"))

    def submodules(self, module):
        """The dotted names of the public modules within a package, one level down."""
        source = self.source(module)
        if source is None or not source.is_package:
            return []
        inside = sorted(source.path.parent.iterdir())
        names = [path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").is_file()]
        return [f"{module}.{name}" for name in names if not name.startswith("_")]

    # ------------------------------------------------------------ names

    @cached_property
    def modules(self):
        """The public submodules, as `drsn_lib.__all__` names them."""
        return list(self.source(PACKAGE).exported)

    def find(self, module, name, seen=()):
        """Where `module` gets `name` from: (source, node), or (source, None) for a module; NotFound if nowhere."""
        source = self.source(module)
        if source is None or (module, name) in seen:
            raise NotFound(f"{module}.{name} is defined nowhere")
        seen = (*seen, (module, name))
        if name in source.definitions:
            return source, source.definitions[name]
        if name in source.imports:
            home, other = source.imports[name]
            if other is None or self.source(f"{home}.{other}"):
                whole = home if other is None else f"{home}.{other}"
                if self.source(whole):
                    return self.source(whole), None
            elif home.partition(".")[0] == PACKAGE:
                return self.find(home, other, seen)
        if source.is_package:
            if self.source(f"{module}.{name}"):
                return self.source(f"{module}.{name}"), None
            # A package that loads lazily imports nothing at its top; the name is some submodule's.
            for inner in self.submodules(module):
                if name in (self.source(inner).exported or []):
                    return self.find(inner, name, seen)
        raise NotFound(f"{module}.{name} is defined nowhere")

    def groups(self, name):
        """The public names of the submodule `name`: first its own, then those that only its submodules name."""
        module = f"{PACKAGE}.{name}"
        source = self.source(module)
        if source is None:
            raise NotFound(f"there is no module {module}")
        if source.exported is None:
            raise NotFound(f"{module} has no __all__")
        made, modules = [], self.submodules(module)
        own = []
        for one in source.exported:
            where, node = self.find(module, one)
            if node is None:
                modules = [where.module, *[m for m in modules if m != where.module]]
            else:
                own.append(self.thing(f"{name}.{one}", where, node))
                made.append((where.path, own[-1].short))
        groups = [Group(name, source.docstring, in_order(own), self._name(source.path))]
        for inner in sorted(modules):
            inner_source, things = self.source(inner), []
            for one in inner_source.exported or []:
                where, node = self.find(inner, one)
                if node is not None and (where.path, one) not in made:
                    made.append((where.path, one))
                    things.append(self.thing(f"{inner.partition('.')[2]}.{one}", where, node))
            if things:
                short = inner.partition(".")[2]
                groups.append(Group(short, inner_source.docstring, in_order(things), self._name(inner_source.path)))
        return groups

    @cached_property
    def things(self):
        """Every public name of the library and, behind each class, its members: a dictionary from name to `Thing`."""
        found = {}
        for module in self.modules:
            for group in self.groups(module):
                for thing in group.things:
                    found[thing.name] = thing
                    found.update({member.name: member for member in thing.members})
        return found

    @cached_property
    def _classes(self):
        """Classes by their bare name, where only one has it."""
        found = {}
        for thing in self.things.values():
            if thing.kind in ("class", "exception"):
                found.setdefault(thing.short, []).append(thing.name)
        return {short: names[0] for short, names in found.items() if len(names) == 1}

    def resolve(self, text, scope=""):
        """The public name that a piece of code such as `layers.Shrinkage(scope="shared")` means, or None.

        `scope` is the module, or the name, in whose description the text stands: there a name may stand alone.
        """
        found = re.match(rf"(?:{PACKAGE}\.)?([A-Za-z_][\w.]*)(?:\(.*\))?$", text, flags=re.S)
        if not found:
            return None
        name = found[1]
        scopes = scope.split(".") if scope else []
        for depth in range(len(scopes), -1, -1):
            full = ".".join([*scopes[:depth], name])
            if full in self.things or (full in self.modules and text.startswith(PACKAGE)):
                return full
        first, _, rest = name.partition(".")
        full = ".".join(filter(None, [self._classes.get(first), rest]))
        return full if full in self.things else None

    # ------------------------------------------------------------ one name

    def _name(self, path):
        return path.relative_to(self.root).as_posix()

    def thing(self, name, source, node):
        """The `Thing` of a definition."""
        place = {"file": self._name(source.path), "lines": (node.lineno, node.end_lineno), "node": node}
        if isinstance(node, ast.ClassDef):
            bases = self.bases(source, node)
            errors = ("Error", "Exception", "Interrupt", "Warning")
            is_error = any(base.endswith(errors) for base in bases)
            parameters = None if is_error else self.class_parameters(source, node)
            first = min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])
            return Thing(
                name,
                "exception" if is_error else "class",
                parse_docstring(ast.get_docstring(node)),
                parameters=None if parameters is None else tuple(parameters),
                bases=tuple(bases),
                members=tuple(self.members(name, source, node)),
                **{**place, "lines": (first, node.end_lineno)},
            )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return Thing(
                name,
                "function",
                parse_docstring(ast.get_docstring(node)),
                parameters=tuple(parameters_of(source, node.args)),
                **place,
            )
        return Thing(
            name,
            "constant",
            parse_docstring(source.comment_above(node)),
            value="\n".join(source.lines[node.lineno - 1 : node.end_lineno]),
            **place,
        )

    def base_classes(self, source, node):
        """The bases of a class: (dotted text, source, node), the last two None where it is not of this package."""
        for base in node.bases:
            text = ast.unparse(base)
            head, _, rest = text.partition(".")
            where = None
            try:
                if not rest:
                    where = self.find(source.module, head)
                elif head in source.imports:
                    home, other = source.imports[head]
                    where = self.find(home if other is None else f"{home}.{other}", rest)
            except NotFound:
                where = None
            if where is None or not isinstance(where[1], ast.ClassDef):
                yield text, None, None
            else:
                yield text, *where

    def bases(self, source, node):
        """The names of the public bases; a private base of this package is replaced by its own bases."""
        found = []
        for text, where, base in self.base_classes(source, node):
            if base is None:
                found.append(text)
            elif base.name.startswith("_") or any(part.startswith("_") for part in where.module.split(".")[:-1]):
                found += self.bases(where, base)
            else:
                public = self._public_class(where, base)
                found += [public] if public else self.bases(where, base)
        return list(dict.fromkeys(found))

    def _public_class(self, where, base):
        for module in self.modules:
            for name in self.source(f"{PACKAGE}.{module}").exported or []:
                try:
                    if name == base.name and self.find(f"{PACKAGE}.{module}", name) == (where, base):
                        return f"{module}.{name}"
                except NotFound:
                    continue
        return None

    def class_parameters(self, source, node):
        """The parameters of a class: of its `__init__`, its fields or its traits, or those of its base."""
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return parameters_of(source, item.args)[1:]
        named = [decorator for decorator in node.decorator_list if "dataclass" in ast.unparse(decorator)]
        own, found = fields_of(source, node), []
        for text, where, base in self.base_classes(source, node):
            if base is not None:
                found += self.class_parameters(where, base) or []
            elif text.rpartition(".")[2] == "NamedTuple":
                return own
        if named:
            names = {parameter.name for parameter in own}
            return [parameter for parameter in found if parameter.name not in names] + own
        return traits_of(source, node) + found or None

    def members(self, name, source, node):
        """The public methods and properties of a class, those of its private bases too."""
        found = {}
        for _, where, base in self.base_classes(source, node):
            if base is not None and not self._public_class(where, base):
                found.update({member.short.rpartition(".")[2]: member for member in self.members(name, where, base)})
        for item in node.body:
            if not isinstance(item, ast.FunctionDef) or item.name.startswith("_"):
                continue
            decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in item.decorator_list}
            is_property = bool(decorators & {"property", "cached_property"})
            parameters = parameters_of(source, item.args)
            if "staticmethod" not in decorators:
                parameters = parameters[1:]
            found[item.name] = Thing(
                f"{name}.{item.name}",
                "property" if is_property else "method",
                parse_docstring(ast.get_docstring(item)),
                parameters=None if is_property else tuple(parameters),
                file=self._name(source.path),
                lines=(item.lineno, item.end_lineno),
                node=item,
            )
        keep = [one for key, one in found.items() if key not in KERAS_PROTOCOL and not key.startswith("on_")]
        return [replace(member, name=f"{name}.{member.short.rpartition('.')[2]}") for member in keep]


def in_order(things):
    """What does something first, then the exceptions, then the constants; else as `__all__` has it."""
    last = ["exception", "constant"]
    return tuple(sorted(things, key=lambda thing: last.index(thing.kind) if thing.kind in last else -1))


def parameters_of(source, arguments):
    """The parameters of a function, as they are written but without annotations."""

    def written(argument, default):
        if default is None:
            return Parameter(argument.arg)
        return Parameter(f"{argument.arg}={source.segment(default)}")

    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    found = [written(argument, default) for argument, default in zip(positional, defaults, strict=True)]
    if arguments.posonlyargs:
        found.insert(len(arguments.posonlyargs), Parameter("/"))
    if arguments.vararg:
        found.append(Parameter(f"*{arguments.vararg.arg}"))
    elif arguments.kwonlyargs:
        found.append(Parameter("*"))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [written(argument, default) for argument, default in pairs]
    if arguments.kwarg:
        found.append(Parameter(f"**{arguments.kwarg.arg}"))
    return found


def fields_of(source, node):
    """The fields of a data class or a named tuple."""
    found = []
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        if "ClassVar" in ast.unparse(item.annotation) or item.target.id.startswith("_"):
            continue
        default = item.value
        if isinstance(default, ast.Call) and ast.unparse(default.func).rpartition(".")[2] == "field":
            given = {keyword.arg: keyword.value for keyword in default.keywords}
            if isinstance(given.get("init"), ast.Constant) and given["init"].value is False:
                continue
            made = given.get("default_factory")
            factory = {"dict": "{}", "list": "[]", "tuple": "()"}.get(ast.unparse(made), "...") if made else None
            text = factory or (ast.unparse(given["default"]) if "default" in given else None)
        else:
            text = default and source.segment(default)
        found.append(Parameter(item.target.id if text is None else f"{item.target.id}={text}"))
    return found


def traits_of(source, node):
    """The traits of a widget that belong to its figure's state."""
    found = []
    for item in node.body:
        if not isinstance(item, ast.Assign) or not isinstance(item.targets[0], ast.Name):
            continue
        call, tags = item.value, {}
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "tag":
            tags = {keyword.arg for keyword in call.keywords}
            call = call.func.value
        if not isinstance(call, ast.Call) or "figure" not in tags:
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        default = given.get("default_value", call.args[0] if call.args else None)
        text = None if default is None else source.segment(default)
        found.append(Parameter(item.targets[0].id if text is None else f"{item.targets[0].id}={text}"))
    return found


def plain(title):
    """A title's letters and digits alone, to compare titles that are set differently."""
    return re.sub(r"[^a-z0-9]", "", title.lower())


def cited(title, keys):
    """The key of a title, by `titles`; a subtitle may be left out. None where the list does not have it."""
    title = plain(title)
    longer = [key for full, key in keys.items() if len(title) > 20 and full.startswith(title)]
    return keys.get(title) or (longer[0] if len(longer) == 1 else None)


def titles(bibliography):
    """The keys of a BibTeX file by plain title."""
    text = Path(bibliography).read_text(encoding="utf-8")
    entries = re.findall(r"@\w+\{([^,\s]+),(.*?)\n\}", text, flags=re.S)
    found = [(key, re.search(r"^\s*title\s*=\s*\{(.*)\},?\s*$", body, flags=re.M)) for key, body in entries]
    return {plain(match[1]): key for key, match in found if match}
