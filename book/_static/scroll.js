// What scrolls sideways in its own box, as a long formula does on a phone, can be reached and scrolled from the keyboard.
(() => {
  const BOXES = 'mjx-container[display="true"], div.math, .pst-scrollable-table-container, .output.text_html';
  function mark() {
    for (const box of document.querySelectorAll(BOXES)) {
      if (box.scrollWidth > box.clientWidth + 1) {
        if (!box.hasAttribute("tabindex")) {
          box.tabIndex = 0;
          box.dataset.scrolls = "";
        }
      } else if ("scrolls" in box.dataset) {
        box.removeAttribute("tabindex");
        delete box.dataset.scrolls;
      }
    }
  }
  addEventListener("load", () => {
    // Formulas have their width once MathJax is done and its fonts are there.
    Promise.resolve(window.MathJax?.startup?.promise).then(() => document.fonts.ready).then(mark);
    document.fonts.addEventListener("loadingdone", mark);
  });
  addEventListener("resize", mark);
})();

// The search reads each page that it has found, to show a line of it. From a folder, without a server, it may not.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
