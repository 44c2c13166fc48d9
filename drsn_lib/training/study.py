"""A grid of runs: what is stored is not run again, so that a study can be stopped and taken up at will."""

import pathlib

from drsn_lib import recipes

__all__ = ["study"]


def study(
    recipe,
    variants=None,
    seeds=range(5),
    budget="modern",
    conditions=None,
    folder=None,
    together=False,
    devices=1,
    progress=True,
    keep_weights=(),
    **many_options,
):
    """Trains every combination of variants, conditions and random seeds that has no record yet.

    Each run's record is added to `folder/<recipe>.jsonl` as soon as it is there. Called again, the study goes
    on with what is missing; a run that was stopped goes on from its checkpoint. A record of other settings (the
    recipe has changed since) or of another kind of device does not count as done.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = study("mnist-noise", ["resnet"], seeds=[0, 1], budget="smoke", folder=folder, progress=False)
    ...     again = study("mnist-noise", ["resnet"], seeds=[0, 1], budget="smoke", folder=folder, progress=False)
    >>> [record["seed"] for record in made], again == made
    ([0, 1], True)

    Args:
        recipe: Name of a recipe, or a `recipes.Recipe`.
        variants: List of variant names; None for all.
        seeds: Iterable of integers.
        budget: Name of a budget.
        conditions: List of dictionaries; None for all of the recipe's.
        folder: Path; None for `$DRSN_RECORDS`, or `runs` in the current folder.
        together: Whether all seeds and conditions of a variant are trained at once (JAX only); see `run_many`.
        devices: Integer, how many devices share every batch.
        progress: Whether progress bars with the time left are shown.
        keep_weights: Random seeds whose trained weights are kept beside the records.
        **many_options: Further arguments of `run_many`.

    Returns:
        List of records, one for each combination, in the order of conditions, seeds and variants.

    Raises:
        ValueError: If an argument is out of its range.
        DataNotAvailable: If a data set can neither be found nor downloaded.
        Stopped: If it was interrupted; what is finished is stored.
    """
    from tqdm.auto import tqdm

    from drsn_lib import records
    from drsn_lib.training import facts, fit

    recipe = recipes.get(recipe)
    folder = pathlib.Path(records.default_folder() if folder is None else folder)
    variants = recipe.variant_names if variants is None else variants
    conditions = [recipe.condition(one) for one in (recipe.conditions if conditions is None else conditions)]
    seeds = [int(seed) for seed in seeds]
    for variant in variants:
        recipe.variant(variant)
    recipe.budget(budget)
    grid = [(variant, seed, condition) for condition in conditions for seed in seeds for variant in variants]
    if not grid:
        raise ValueError("A study needs at least one variant, one seed and one condition. Received: an empty list")

    kind = facts.device()["kind"]
    path = folder / f"{recipe.name}.jsonl"
    done = {}
    if path.exists():
        for record in records.read_file(path):
            if record["device"]["kind"] == kind:
                done[_key(record)] = record

    def key(variant, seed, condition):
        return recipes.digest(recipe.settings(variant, budget, condition)), seed

    missing = [one for one in grid if key(*one) not in done]
    with tqdm(
        total=len(grid),
        initial=len(grid) - len(missing),
        desc=f"{recipe.name}, {budget}",
        unit="run",
        disable=not progress or len(grid) < 2,
        dynamic_ncols=True,
    ) as bar:
        for made in _runs(
            fit, recipe, missing, budget, folder, together, devices, progress, keep_weights, many_options
        ):
            records.append(path, made)
            done[_key(made)] = made
            bar.update()
    return [done[key(*one)] for one in grid]


def _key(record):
    return record["digest"], record["seed"]


def _runs(fit, recipe, missing, budget, folder, together, devices, progress, keep_weights, many_options):
    """Makes the missing records, one after the other or a variant's all at once."""
    if not together:
        import keras

        for variant, seed, condition in missing:
            keras.backend.clear_session()
            yield fit.run(
                recipe,
                variant,
                seed,
                budget,
                dict(condition),
                folder=folder,
                devices=devices,
                progress=progress,
                keep_weights=seed in keep_weights,
            )
        return
    from drsn_lib.training.many import run_many

    groups = {}
    for variant, _, condition in missing:
        groups.setdefault((variant, tuple(seeds_of(missing, variant, condition))), []).append(condition)
    for (variant, seeds), conditions in groups.items():
        yield from run_many(
            recipe,
            variant,
            seeds,
            budget,
            conditions=[dict(one) for one in dict.fromkeys(conditions)],
            folder=folder,
            progress=progress,
            keep_weights=keep_weights,
            **many_options,
        )


def seeds_of(missing, variant, condition):
    """The seeds that one variant lacks under one condition, in order."""
    return sorted(seed for v, seed, c in missing if v == variant and c == condition)
