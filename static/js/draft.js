// Keeps what was typed at the door on the server, so that a phone call loses nothing. Without it the form works as well.
(function () {
  var form = document.querySelector("form[data-draft]");
  if (!form || !window.URLSearchParams) return;
  var never = { form_key: 1, phone: 1, code: 1, password: 1, phone_last4: 1, rules: 1 };
  var timer, kept = "";
  function typed() {
    var all = new URLSearchParams();
    [].forEach.call(form.elements, function (f) {
      if (!f.name || never[f.name] || f.type === "hidden" || (f.type === "radio" && !f.checked)) return;
      all.append(f.name, f.value);
    });
    return all.toString();
  }
  function keep() {
    clearTimeout(timer);
    var now = typed();
    if (now === kept) return;
    kept = now;
    var body = new Blob([now], { type: "application/x-www-form-urlencoded" });
    if (navigator.sendBeacon && navigator.sendBeacon(form.dataset.draft, body)) return;
    fetch(form.dataset.draft, { method: "POST", body: body, credentials: "same-origin", keepalive: true }).catch(function () {});
  }
  kept = typed();
  form.addEventListener("input", function () {
    clearTimeout(timer);
    timer = setTimeout(keep, 800);
  });
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") keep();
  });
})();
