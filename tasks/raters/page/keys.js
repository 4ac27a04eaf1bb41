// Sends choices until the server answers, keys for rating, and drafts of notes. The page works without this: every key
// presses a button that is there, and every button sends its form.
"use strict";
(() => {
  const AGAIN = 3000; // milliseconds until what failed is tried again
  const PATIENCE = 20_000; // milliseconds after which an answer comes no more
  const QUIET = 300; // milliseconds in which a rating still belongs to the text before
  const away = document.getElementById("away");
  const form = document.getElementById("rate");
  const note = document.getElementById("note");
  const shownAt = performance.now();
  let sent = false; // a choice or a link is on its way
  let plain = false; // the browser itself is to send the form
  let onward = null; // where to go once a choice is kept, if not to the next text

  // The server's answer, however long it takes: the server takes the same choice twice for one.
  const ask = async (url, options, words) => {
    for (;;) {
      try {
        const answer = await fetch(url, {...options, redirect: "manual", signal: AbortSignal.timeout?.(PATIENCE)});
        if (answer.status < 500) return answer;
      } catch { /* not reached */ }
      if (away.textContent !== words) away.textContent = words; // read aloud once
      await new Promise(done => setTimeout(done, AGAIN));
    }
  };

  document.addEventListener("submit", async event => {
    const button = event.submitter;
    if (plain || !button) return;
    event.preventDefault();
    if (sent || (button.name === "rating" && performance.now() - shownAt < QUIET)) return; // pressed twice
    sent = true;
    const body = new URLSearchParams(new FormData(event.target));
    if (button.name) body.set(button.name, button.value);
    button.classList.add("chosen");
    if (note) note.readOnly = true; // what were added now would not be sent
    const url = event.target.getAttribute("action");
    const {notYet, noAnswer} = away.dataset;
    const answer = await ask(url, {method: "POST", body}, `${notYet} ${noAnswer}`);
    if (answer.type === "opaqueredirect") location.assign(onward ?? url);
    else { plain = true; button.click(); } // refused, and refused again: the server's page says why
  });

  document.addEventListener("click", async event => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (sent) return;
    sent = true;
    await ask(link.href, {}, away.dataset.noAnswer);
    location.assign(link.href);
  });
  addEventListener("pageshow", event => { if (event.persisted) location.reload(); });

  for (const line of document.querySelectorAll(".keyboard")) line.hidden = false;
  if (!form) return;
  const noteBox = document.getElementById("note-box");
  const cannot = document.getElementById("cannot");
  const back = document.getElementById("back");
  const useKeys = document.getElementById("keys");
  try {
    useKeys.checked = localStorage.getItem("keys") !== "off";
    useKeys.addEventListener("change", () => localStorage.setItem("keys", useKeys.checked ? "on" : "off"));
  } catch { /* a browser that keeps nothing: the keys are on */ }

  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && event.target === note) note.blur();
    const typing = event.target.closest("textarea, input:not([type=checkbox])");
    if (!useKeys.checked || typing || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const choice = /^[1-5]$/.test(event.key) && form.querySelector(`button[name=rating][value="${event.key}"]`);
    if (choice) choice.click();
    else if (event.key === "c") { cannot.open = true; cannot.querySelector("button").focus(); }
    else if (event.key === "n") {
      noteBox.open = true;
      note.focus();
      note.setSelectionRange(note.value.length, note.value.length);
    } else if (event.key === "u") {
      if (sent) onward = form.dataset.back || null; // meant for the choice that is on its way
      else if (back) back.click();
    } else return;
    event.preventDefault();
  });

  let waiting = 0;
  const draft = () => {
    const fields = new URLSearchParams({action: "draft", turn: form.elements.turn.value, note: note.value});
    fetch(form.getAttribute("action"), {method: "POST", body: fields, keepalive: true}).catch(() => {}); // the next one may arrive
  };
  if (form.dataset.draft) note.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!sent) draft(); }, 700);
  });
})();
