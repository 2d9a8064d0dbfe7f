// A click or Enter on a column's title sorts its table: numbers by size, other text by alphabet and after them.
const text = (row, i) => row.cells[i]?.textContent.trim() ?? "";
const size = (text) => /^[-+]?[\d.,]+(e[-+]\d+)?(%| .*)?$/.test(text) ? parseFloat(text.replaceAll(",", "")) : NaN;
const order = (a, b, sign) =>
  isNaN(size(a)) - isNaN(size(b)) || sign * (size(a) - size(b) || a.localeCompare(b, undefined, { numeric: true }));
for (const title of document.querySelectorAll("th.sorts")) {
  title.tabIndex = 0;
  title.onkeydown = (event) => event.key === "Enter" && title.click();
  title.onclick = () => {
    const i = title.cellIndex, body = title.closest("table").tBodies[0], sign = title.ariaSort === "ascending" ? -1 : 1;
    for (const other of title.parentNode.cells) other.ariaSort = null;
    title.ariaSort = sign > 0 ? "ascending" : "descending";
    body.append(...[...body.rows].sort((a, b) => order(text(a, i), text(b, i), sign)));
  };
}
