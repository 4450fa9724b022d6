// Sorting, searching and copying on the pages of the atlas; works from files, without network.
(function () {
  "use strict";
  function start() {
    document.querySelectorAll(".atlas-copy").forEach(function (button) {
      button.addEventListener("click", function () { copy(button); });
    });
    var table = document.getElementById("atlas-table");
    if (table) { index(table); }
  }

  function copy(button) {
    var text = button.dataset.copy, label = button.textContent;
    function done() {
      button.textContent = "copied";
      setTimeout(function () { button.textContent = label; }, 1200);
    }
    function select() {
      // Pages opened from files may have no clipboard: select and copy as of old.
      var area = document.createElement("textarea");
      area.value = text;
      document.body.appendChild(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      done();
    }
    if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(text).then(done, select); } else { select(); }
  }

  function index(table) {
    var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows);
    var search = document.getElementById("atlas-search"), count = document.getElementById("atlas-count");
    var filters = Array.prototype.slice.call(document.querySelectorAll("[data-filter]"));

    function show() {
      var words = search.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
      rows.forEach(function (row) {
        var text = row.textContent.toLowerCase();
        var fits = words.every(function (word) { return text.indexOf(word) >= 0; }) && filters.every(function (filter) {
          var value = row.getAttribute("data-" + filter.dataset.filter);
          return filter.type === "checkbox" ? !filter.checked || value === "true" : !filter.value || value === filter.value;
        });
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      count.textContent = shown + " of " + rows.length;
    }

    function key(row, column) {
      var cell = row.cells[column], span = cell.querySelector("span");
      var text = span ? span.title : cell.textContent;
      if (text === "∞") { return Infinity; }
      var number = parseFloat(text.replace("[", ""));
      return span ? number : text.toLowerCase();
    }

    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      head.querySelector("button").addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(head.parentNode.cells, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        rows.sort(function (a, b) {
          var x = key(a, column), y = key(b, column);
          if (x !== x || y !== y) { return (x !== x) - (y !== y); } // empty cells last, whichever way
          return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
        });
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });
    search.addEventListener("input", show);
    filters.forEach(function (filter) { filter.addEventListener("change", show); });
    show();
  }

  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();
