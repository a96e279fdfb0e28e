// A little comfort; every page works without it.
"use strict";

// Times are printed in UTC; the reader's own zone stands in the tooltip.
for (const time of document.querySelectorAll("time")) {
  time.title = new Date(time.dateTime).toLocaleString();
}

// Where a browser lets us copy, a button does it.
for (const line of document.querySelectorAll("pre.copy")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line.textContent);
    button.textContent = "Copied";
  });
  if (navigator.clipboard) {
    line.after(button);
  }
}

function move(step) {
  const rows = Array.from(document.querySelectorAll("a.row"));
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step;
  if (rows[next]) {
    rows[next].focus();
  }
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => document.querySelector("input[type=search]")?.focus(),
  o: () => location.assign("/"),
  l: () => location.assign("/letters"),
  r: () => location.reload(),
  n: () => document.querySelector("a.newer")?.click(),
  p: () => document.querySelector("a.older")?.click(),
};

document.addEventListener("keydown", (event) => {
  const types = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (types || event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(keys, event.key)) {
    return;
  }
  event.preventDefault();
  keys[event.key]();
});
