// Sortable tables on every page; keyboard control and blind mode on the listening page. Pages work without this script.
"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th:not(.fixed)").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}

// The sort is stable.
function sort(table, head, column) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  const rows = [...table.tBodies[0].rows];
  const key = (row) => {
    const cell = row.cells[column];
    return cell ? cell.dataset.key ?? cell.textContent.trim() : "";
  };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    const numeric = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
    return numeric ? x - y : x.localeCompare(y, "en");
  };
  rows.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  rows.forEach((row) => row.parentNode.append(row));
  table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

const listening = document.querySelector("#listening");
if (listening) listen(listening);

function listen(page) {
  const rows = [...page.querySelectorAll(".takes")];
  const status = page.querySelector("[role=status]");
  const [blind, reveal, download] = ["blind", "reveal", "download"].map((id) => page.querySelector(`#${id}`));
  const original = rows.map((row) => [...row.children]);
  let current = [0, 0];
  page.querySelector(".controls").hidden = false;

  const takes = (row) => [...rows[row].children];
  const player = ([row, index]) => takes(row)[index].querySelector("audio");

  // Plays one take at a time. Within a row the next take continues at the current time, as an A/B switch does.
  function play(row, index) {
    if (!takes(row)[index]) return;
    const before = player(current);
    const after = player([row, index]);
    const time = row === current[0] ? before.currentTime : 0;
    current = [row, index];
    if (before !== after) before.pause(); // the "play" event, which pauses all others, comes later
    if (after.readyState === 0) after.load();
    after.currentTime = time >= after.duration ? 0 : time;
    after.play().catch(() => { status.textContent = "This take cannot be played."; });
    takes(row)[index].scrollIntoView({ block: "nearest" });
  }

  page.addEventListener("play", (event) => {
    const take = event.target.closest(".take");
    page.querySelectorAll("audio").forEach((other) => other !== event.target && other.pause());
    page.querySelectorAll(".playing").forEach((other) => other.classList.remove("playing"));
    take.classList.add("playing");
    const row = rows.indexOf(take.parentNode);
    current = [row, takes(row).indexOf(take)];
  }, true);

  function letters() {
    rows.forEach((row) => [...row.children].forEach((take, index) => {
      take.querySelector(".letter").textContent = String.fromCharCode(65 + index);
    }));
  }

  function shuffle(row) {
    const shuffled = [...row.children];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = crypto.getRandomValues(new Uint32Array(1))[0] % (last + 1);
      [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
    }
    row.append(...shuffled);
  }

  function setBlind(on) {
    page.querySelectorAll("audio").forEach((audio) => audio.pause());
    page.classList.toggle("blind", on);
    page.classList.remove("revealed");
    page.querySelector("#tally").replaceChildren();
    if (on) {
      page.querySelectorAll("input:checked").forEach((input) => { input.checked = false; });
      rows.forEach(shuffle);
      letters();
    } else {
      rows.forEach((row, index) => row.append(...original[index]));
    }
    blind.setAttribute("aria-pressed", on);
    reveal.disabled = download.disabled = !on;
    current = [0, 0];
    status.textContent = on ? "Arms are hidden, and the takes of every row are shuffled." : "Arms are shown in their original order.";
  }

  function answers() {
    return rows.map((row) => ({
      prompt: Number(row.dataset.prompt),
      order: Object.fromEntries([...row.children].map((take, index) => [String.fromCharCode(65 + index), take.dataset.arm])),
      ...Object.fromEntries([...new Set([...row.querySelectorAll("input")].map((input) => input.dataset.question))].map(
        (question) => [question, row.querySelector(`input[data-question="${question}"]:checked`)?.closest(".take").dataset.arm ?? null])),
    }));
  }

  function setRevealed() {
    if (!page.classList.contains("blind")) return;
    page.classList.replace("blind", "revealed");
    blind.setAttribute("aria-pressed", false);
    reveal.disabled = true;
    status.textContent = "Arms are shown. Takes keep their blind order.";
    const given = answers();
    const questions = Object.keys(given[0] ?? {}).filter((key) => key !== "prompt" && key !== "order");
    page.querySelector("#tally").replaceChildren(...questions.map((question) => {
      const line = document.createElement("p");
      const counts = new Map();
      given.forEach((row) => row[question] && counts.set(row[question], (counts.get(row[question]) ?? 0) + 1));
      const total = [...counts].sort((a, b) => b[1] - a[1]).map(([arm, count]) => `${arm} ${count}`).join(", ");
      line.textContent = `${question}: ${total || "no answer"}`;
      return line;
    }));
  }

  blind.addEventListener("click", () => setBlind(!page.classList.contains("blind")));
  reveal.addEventListener("click", setRevealed);
  download.addEventListener("click", () => {
    const record = { seed: Number(page.dataset.seed), revealed: page.classList.contains("revealed"), answers: answers() };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2) + "\n"], { type: "application/json" }));
    link.download = "eisbach-listening.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, button, audio, summary, a")) {
      if (!/^[1-9jkbr]$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    }
    const [row, index] = current;
    const audio = player(current);
    const actions = {
      " ": () => (audio.paused ? play(row, index) : audio.pause()),
      j: () => play(Math.min(row + 1, rows.length - 1), 0),
      k: () => play(Math.max(row - 1, 0), 0),
      ArrowRight: () => play(row, (index + 1) % takes(row).length),
      ArrowLeft: () => play(row, (index + takes(row).length - 1) % takes(row).length),
      b: () => blind.click(),
      r: () => reveal.click(),
    };
    const action = /^[1-9]$/.test(event.key) ? () => play(row, event.key - 1) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
