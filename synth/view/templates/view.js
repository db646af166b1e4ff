// Keys, and counts fetched after the page is there. Every key does what a link or button on the page does.
"use strict";
for (const place of document.querySelectorAll("[data-load]")) {
  fetch(place.dataset.load).then((reply) => reply.text()).then((text) => {
    // Of our own server, which escapes what models wrote; the policy of this page runs no script that came with it.
    const page = new DOMParser().parseFromString(text, "text/html");
    const alert = page.querySelector("[role=alert]");
    place.replaceChildren(...(alert ? [alert] : page.body.childNodes));
    place.removeAttribute("data-load");
  });
}
const typing = (at) => at.matches("input, textarea, select");
let chosen = -1;
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.key === "Escape" && typing(at)) { at.blur(); return; }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && at.dataset.submit) {
    event.preventDefault();
    at.form.requestSubmit(at.form.querySelector(`button[value="${at.dataset.submit}"]`));
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(at)) return;
  if (event.key === "?") { document.getElementById("keys").showModal(); return; }
  if (document.getElementById("keys").open) return;
  const rows = document.querySelectorAll("a.row, a.row-link");
  if (rows.length && (event.key === "j" || event.key === "k")) {
    chosen = Math.min(Math.max(chosen + (event.key === "j" ? 1 : -1), 0), rows.length - 1);
    rows[chosen].focus();
    event.preventDefault();
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (target === null) { if (event.key === "g") document.querySelector("[data-review]").click(); return; }
  event.preventDefault();
  if (target.dataset.open) {
    document.getElementById(target.dataset.open).open = true;
    document.querySelector(`#${target.dataset.open} textarea`)?.focus();
  } else if (typing(target)) target.focus();
  else target.click();
});
