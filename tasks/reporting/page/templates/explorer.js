(() => {
  const at = id => document.getElementById(id), box = at("prompts"), rest = box.querySelector(".rest");
  const every = [...box.querySelectorAll(".prompt")], search = at("search"), order = at("order");
  const starting = every.filter(each => !rest || !rest.contains(each)).length;
  const keys = {
    lot: each => +each.dataset.lot, gain: each => -each.dataset.gain, loss: each => +each.dataset.gain,
    toxicity: each => -each.dataset.toxicity,
  };
  const place = each => { const key = keys[order.value](each); return Number.isNaN(key) ? Infinity : key; };
  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    const all = wanted !== "" || order.value !== "lot" || !at("pick-0").checked;
    every.sort((a, b) => place(a) - place(b)).forEach((each, index) => {
      each.hidden = wanted !== "" && !each.textContent.toLowerCase().includes(wanted);
      if (all || index < starting) box.insertBefore(each, rest); else rest.append(each);
    });
    if (rest) rest.hidden = all;
    at("count").textContent = all ? `${every.filter(each => each.offsetParent).length} of ${every.length} prompts` : "";
  };
  document.querySelectorAll(".scripted").forEach(each => { each.hidden = false; });
  search.addEventListener("input", show);
  order.addEventListener("change", show);
  const follow = () => {
    const wanted = every.find(each => `#${each.id}` === location.hash);
    if (!wanted) return;
    at("pick-0").checked = true;
    search.value = "";
    show();
    wanted.open = true;
    wanted.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  box.parentElement.parentElement.addEventListener("click", event => {
    if (event.target.closest("a")?.hash === location.hash) follow();  // the same link again is no change
  });
  follow();
  document.getElementsByName("category").forEach(each => each.addEventListener("change", show));
})();
