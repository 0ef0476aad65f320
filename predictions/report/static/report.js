// What a page can do beyond being read: sort its tables, play takes from the keyboard, and let ears judge blind.
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

// A table of several bodies is sorted body by body (each is one claim), else row by row. Ties keep their order.
function sort(table, head, column) {
  const descending = head.getAttribute("aria-sort") === "ascending";
  const bodies = [...table.tBodies];
  const units = bodies.length > 1 ? bodies : [...bodies[0].rows];
  const key = (unit) => {
    const cell = (unit.rows ? unit.rows[0] : unit).cells[column];
    return cell ? cell.dataset.key ?? cell.textContent.trim() : "";
  };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    const numeric = x !== "" && y !== "" && !isNaN(x) && !isNaN(y);
    return numeric ? x - y : x.localeCompare(y, "en");
  };
  units.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  units.forEach((unit) => unit.parentNode.append(unit));
  table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

const listening = document.querySelector("#listening");
if (listening) listen(listening);

function listen(page) {
  const rows = [...page.querySelectorAll(".takes")];
  const says = page.querySelector("[role=status]");
  const [blind, reveal, download] = ["blind", "reveal", "download"].map((id) => page.querySelector(`#${id}`));
  const original = rows.map((row) => [...row.children]);
  let current = [0, 0];
  page.querySelector(".controls").hidden = false;

  const takes = (row) => [...rows[row].children];
  const player = ([row, place]) => takes(row)[place].querySelector("audio");

  // One take at a time. Within a row the next take goes on at the same moment, as an A/B switch does.
  function play(row, place) {
    if (!takes(row)[place]) return;
    const before = player(current);
    const after = player([row, place]);
    const moment = row === current[0] ? before.currentTime : 0;
    current = [row, place];
    if (before !== after) before.pause(); // the event that pauses all others comes a moment later
    if (after.readyState === 0) after.load();
    after.currentTime = moment >= after.duration ? 0 : moment;
    after.play().catch(() => { says.textContent = "This take cannot be played."; });
    takes(row)[place].scrollIntoView({ block: "nearest" });
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
    rows.forEach((row) => [...row.children].forEach((take, place) => {
      take.querySelector(".letter").textContent = String.fromCharCode(65 + place);
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
    says.textContent = on ? "Arms are hidden and shuffled in every row." : "Arms are shown.";
  }

  function answers() {
    return rows.map((row) => ({
      prompt: Number(row.dataset.prompt),
      order: Object.fromEntries([...row.children].map((take, place) => [String.fromCharCode(65 + place), take.dataset.arm])),
      ...Object.fromEntries([...new Set([...row.querySelectorAll("input")].map((input) => input.dataset.question))].map(
        (question) => [question, row.querySelector(`input[data-question="${question}"]:checked`)?.closest(".take").dataset.arm ?? null])),
    }));
  }

  function setRevealed() {
    if (!page.classList.contains("blind")) return;
    page.classList.replace("blind", "revealed");
    blind.setAttribute("aria-pressed", false);
    reveal.disabled = true;
    says.textContent = "Arms are revealed, in the order in which you heard them.";
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
    const [row, place] = current;
    const audio = player(current);
    const actions = {
      " ": () => (audio.paused ? play(row, place) : audio.pause()),
      j: () => play(Math.min(row + 1, rows.length - 1), 0),
      k: () => play(Math.max(row - 1, 0), 0),
      ArrowRight: () => play(row, (place + 1) % takes(row).length),
      ArrowLeft: () => play(row, (place + takes(row).length - 1) % takes(row).length),
      b: () => blind.click(),
      r: () => reveal.click(),
    };
    const action = /^[1-9]$/.test(event.key) ? () => play(row, event.key - 1) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
