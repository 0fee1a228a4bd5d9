// What pages can do better with a script; all of them work without.
"use strict";

// Times in the reader's zone and language.
for (const t of document.querySelectorAll("time[datetime]")) {
  const at = new Date(t.dateTime);
  if (isNaN(at)) continue;
  t.title = at.toLocaleString(document.documentElement.lang, { dateStyle: "full", timeStyle: "long" });
  const today = new Date().toDateString() === at.toDateString();
  t.textContent = at.toLocaleString(document.documentElement.lang, today ? { hour: "2-digit", minute: "2-digit", second: "2-digit" } : { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
}
for (const t of document.querySelectorAll("[data-hour]")) {
  t.textContent = new Date(t.dataset.hour).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
}

// Where a plot is wider than the screen, its newest end is what people look for.
for (const plot of document.querySelectorAll("[data-newest]")) plot.scrollLeft = plot.scrollWidth;

// Copying.
for (const b of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  b.hidden = false;
  b.addEventListener("click", async () => {
    const before = b.textContent;
    try {
      await navigator.clipboard.writeText(b.dataset.copy);
      b.textContent = "✓";
    } catch {
      b.textContent = "✗";
    }
    setTimeout(() => { b.textContent = before; }, 1500);
  });
}

// Choices that send their form at once.
for (const s of document.querySelectorAll("select[data-submit]")) {
  s.addEventListener("change", () => s.form.requestSubmit());
}
for (const b of document.querySelectorAll("[data-unneeded]")) b.hidden = true;

// One box that ticks all.
for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = () => document.querySelectorAll(`input[name="${all.dataset.all}"]`);
  all.hidden = false;
  all.addEventListener("change", () => { for (const b of boxes()) b.checked = all.checked; });
}

// The menu is folded on small screens.
const menu = document.querySelector("details.menu");
if (menu && matchMedia("(max-width: 56rem)").matches) menu.open = false;

// Progress that goes on by itself: the page's own figures are fetched again while
// a run is on.
const live = document.querySelector("[data-live]");
if (live && window.EventSource) {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("steps", (e) => {
    const parsed = new DOMParser().parseFromString(e.data, "text/html");
    live.replaceChildren(...parsed.body.childNodes);
  });
  source.addEventListener("end", () => { source.close(); location.reload(); });
}

// A box that unlocks a button.
for (const box of document.querySelectorAll("[data-unlock]")) {
  box.addEventListener("change", () => { for (const b of document.querySelectorAll(box.dataset.unlock)) b.disabled = !box.checked; });
}

// Questions before something weighty: the page that asks is shown as a dialog on
// the page that led to it.
async function ask(url, opener) {
  const answer = await fetch(url, { headers: { accept: "text/html" } });
  const body = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-ask-body]");
  if (!answer.ok || answer.redirected || !body) { location.href = url; return; } // the page itself says what is wrong
  const dialog = document.createElement("dialog");
  const head = body.querySelector("h1");
  if (head) dialog.setAttribute("aria-label", head.textContent);
  dialog.append(body);
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); opener.focus(); });
  for (const close of body.querySelectorAll("[data-close]")) close.addEventListener("click", (e) => { e.preventDefault(); dialog.close(); });
  for (const next of body.querySelectorAll("form[data-inside]")) { // leads to the next question
    next.addEventListener("submit", (e) => {
      e.preventDefault();
      const to = new URL(next.action);
      to.search = new URLSearchParams(new FormData(next));
      dialog.close();
      follow(to.href, opener);
    });
  }
  dialog.showModal();
}
function follow(url, opener) { ask(url, opener).catch(() => { location.href = url; }); }
if (window.HTMLDialogElement) {
  for (const a of document.querySelectorAll("a[data-ask]")) {
    a.addEventListener("click", (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      follow(a.href, a);
    });
  }
}
// A part of the page that is fetched again and put in place of the old one.
const renewals = {};
async function renew(part, address) {
  const mine = renewals[part] = (renewals[part] || 0) + 1;
  const answer = await fetch(address, { headers: { "Accept": "text/html" } });
  if (!answer.ok && answer.status !== 422) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== renewals[part]) return; // a later one was asked for meanwhile
  const next = page.querySelector(part), now = document.querySelector(part);
  if (next && now) now.replaceChildren(...next.childNodes);
  again();
}

// Parts that are not ready yet are fetched until they are.
let waits = 0;
function again() {
  for (const part of document.querySelectorAll("[data-again]")) {
    clearTimeout(waits);
    waits = setTimeout(() => renew(part.dataset.again, asked), 700);
  }
}
let asked = location.href;
again();

// A form whose answer is shown while its values change; a slider and its number are
// one value, and to change it is to decide.
for (const form of document.querySelectorAll("form[data-preview]")) {
  let late = 0;
  form.addEventListener("input", (e) => {
    const twin = e.target.dataset.twin && form.elements[e.target.dataset.twin];
    if (twin) twin.value = e.target.value;
    const own = e.target.dataset.own && form.elements[e.target.dataset.own];
    if (own) own.checked = true;
    clearTimeout(late);
    late = setTimeout(() => {
      asked = location.pathname + "?" + new URLSearchParams(new FormData(form));
      history.replaceState(null, "", asked);
      renew(form.dataset.preview, asked);
    }, 60);
  });
}

// A page that waits for something looks again by itself.
for (const wait of document.querySelectorAll("[data-reload]")) setTimeout(() => location.reload(), 1000 * Number(wait.dataset.reload));

// "/" leads to the search.
document.addEventListener("keydown", (e) => {
  const box = document.querySelector("[data-slash]");
  if (!box || e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select, [contenteditable]")) return;
  e.preventDefault();
  box.focus();
  box.select();
});

// What pops up from a page closes with Escape, which leads back to what opened it, or
// by a press beside it.
const popups = () => document.querySelectorAll("details.person[open], details.save[open]");
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape" || document.querySelector("dialog[open]")) return;
  for (const d of popups()) {
    if (d.contains(document.activeElement)) d.querySelector("summary").focus();
    d.open = false;
  }
});
document.addEventListener("click", (e) => { for (const d of popups()) if (!d.contains(e.target)) d.open = false; });
