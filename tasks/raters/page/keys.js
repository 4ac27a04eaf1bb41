// Keys for rating, and drafts of notes. The page works without this: every key presses a button that is there.
"use strict";
(() => {
  const form = document.getElementById("rate");
  if (!form) return;
  const note = document.getElementById("note");
  const cannot = document.getElementById("cannot");
  const back = document.getElementById("back");
  const useKeys = document.getElementById("keys");
  const QUIET = 300; // milliseconds in which a key still belongs to the text before
  const shownAt = performance.now();
  let sent = false;

  document.getElementById("keys-line").hidden = false;
  try {
    useKeys.checked = localStorage.getItem("keys") !== "off";
    useKeys.addEventListener("change", () => localStorage.setItem("keys", useKeys.checked ? "on" : "off"));
  } catch { /* a browser that keeps nothing: the keys are on */ }

  form.addEventListener("submit", event => {
    if (sent) event.preventDefault(); // pressed twice
    sent = true;
  });
  addEventListener("pageshow", () => { sent = false; });

  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && event.target === note) note.blur();
    const typing = event.target.closest("textarea, input:not([type=checkbox])");
    if (!useKeys.checked || typing || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (performance.now() - shownAt < QUIET) return;
    const choice = /^[1-5]$/.test(event.key) && form.querySelector(`button[name=rating][value="${event.key}"]`);
    if (choice) choice.click();
    else if (event.key === "c") { cannot.open = true; cannot.querySelector("button").focus(); }
    else if (event.key === "n") { note.focus(); note.setSelectionRange(note.value.length, note.value.length); }
    else if (event.key === "u" && back) back.click();
    else return;
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
