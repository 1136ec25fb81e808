// What the theme leaves out for keyboards and screen readers.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
// Long lines scroll. The theme takes the index away from blocks that are out of sight.
const reachable = (code) => code.tabIndex === 0 || (code.tabIndex = 0);
const watcher = new MutationObserver((changes) => changes.forEach(({ target }) => reachable(target)));
for (const code of document.querySelectorAll("pre > code")) {
  reachable(code);
  watcher.observe(code, { attributeFilter: ["tabindex"] });
}
