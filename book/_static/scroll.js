// What scrolls sideways in its own box, as a long formula does on a phone, can be reached and scrolled from the keyboard.
(() => {
  const BOXES = 'mjx-container[display="true"], div.math, .pst-scrollable-table-container, .output.text_html, .wide-picture';
  function mark() {
    for (const box of document.querySelectorAll(BOXES)) {
      if (box.scrollWidth > box.clientWidth + 1) {
        if (!box.hasAttribute("tabindex")) {
          box.tabIndex = 0;
          box.dataset.scrolls = "";
          if (box.dataset.label) {
            box.setAttribute("role", "region");
            box.setAttribute("aria-label", box.dataset.label);
          }
        }
      } else if ("scrolls" in box.dataset) {
        for (const name of ["tabindex", "data-scrolls", ...(box.dataset.label ? ["role", "aria-label"] : [])]) box.removeAttribute(name);
      }
    }
  }

  // A picture with several panels is not shrunk to a phone's width, at which its letters could not be read: book.css
  // keeps it at a part of its own width, which CSS does not know.
  function boxPictures() {
    let count = 0;
    for (const image of document.querySelectorAll(".bd-article :is(figure, .cell_output) img")) {
      if (image.naturalWidth <= 1000 || image.closest(".wide-picture, [data-state]")) continue;
      const link = image.closest("a") ?? image;
      const box = document.createElement("div");
      box.className = "wide-picture";
      box.style.setProperty("--natural-width", `${image.naturalWidth}px`);
      count += 1;
      const number = image.closest("figure")?.querySelector(".caption-number")?.textContent.trim();
      box.dataset.label = `${number || `Picture ${count} of this page`}, scrolls sideways`;
      link.replaceWith(box);
      box.append(link);
    }
  }

  addEventListener("load", () => {
    boxPictures();
    mark();
    // Formulas have their width once MathJax is done and its fonts are there.
    Promise.resolve(window.MathJax?.startup?.promise).then(() => document.fonts.ready).then(mark);
    document.fonts.addEventListener("loadingdone", mark);
    // What a closed answer holds has no width before it is opened.
    const sizes = new ResizeObserver(mark);
    for (const box of document.querySelectorAll(BOXES)) sizes.observe(box);
  });
  addEventListener("resize", mark);
})();

// Where lines may break.
addEventListener("DOMContentLoaded", () => {
  // Not between a formula and the comma that follows it, nor behind the bracket in front of it.
  for (const formula of document.querySelectorAll(".bd-article span.math")) {
    const [before, after] = [formula.previousSibling, formula.nextSibling];
    const closing = after?.nodeType === Node.TEXT_NODE && after.data.match(/^[-,.;:!?)\]…’”'"%]+(s\b)?/);
    const opening = before?.nodeType === Node.TEXT_NODE && before.data.match(/[([“‘"']+$/);
    if (!closing && !opening) continue;
    const together = document.createElement("span");
    together.className = "unbroken";
    formula.replaceWith(together);
    together.append(formula);
    if (closing) {
      after.splitText(closing[0].length);
      together.append(after);
    }
    if (opening) together.prepend(before.splitText(opening.index));
  }
  // In what a cell prints, if it is sentences: where spaces set columns, lines stay whole and scroll.
  for (const printed of document.querySelectorAll(".cell_output :is(.stream, .text_plain) pre")) {
    const lines = printed.textContent.trimEnd().split("\n");
    printed.classList.toggle("sentences", !lines.some((line) => /^[\s[{(<]|\S\s{2,}\S|\t/.test(line)));
  }
  // In a table's columns of words, which stand on the left; numbers stay whole, below each other.
  for (const table of document.querySelectorAll(".cell_output table.dataframe")) {
    const [taken, columns] = [[], []];
    [...table.rows].forEach((row, r) => {
      let c = 0;
      for (const cell of row.cells) {
        while (taken[r]?.[c]) c += 1;
        for (let i = 0; i < cell.rowSpan; i++) for (let j = 0; j < cell.colSpan; j++) (taken[r + i] ||= [])[c + j] = true;
        if (cell.colSpan === 1) (columns[c] ||= []).push(cell);
        c += cell.colSpan;
      }
    });
    for (const cells of columns.filter(Boolean)) {
      const texts = cells.filter((cell) => cell.closest("tbody")).map((cell) => cell.textContent.trim()).filter(Boolean);
      const words = texts.length > 0 && texts.every((text) => /^\p{L}/u.test(text));
      const longest = Math.max(0, ...texts.map((text) => text.length));
      for (const cell of cells) {
        cell.classList.toggle("words", words);
        cell.classList.toggle("long", words && longest > 16);
        cell.style.setProperty("--least", `${Math.min(16, Math.ceil(longest / 2) + 2)}ch`); // two lines, or as many as it takes
      }
    }
  }
});

// The search reads each page that it has found, to show a line of it. From a folder, without a server, it may not.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
