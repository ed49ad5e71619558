/* Keeps the page of somebody who waits in step: the server says that something changed, this fetches the page and swaps it in.
   Without script the page loads itself again now and then. */
(function () {
  "use strict";
  var main = document.querySelector("main[data-live]");
  if (!main) return;
  if (!window.fetch || !window.DOMParser) {
    setTimeout(function () { location.reload(); }, 20000);
    return;
  }
  var source = null, poll = 0, busy = false, again = false;

  function stop() {
    if (source) source.close();
    clearInterval(poll);
    source = null;
  }

  function every(seconds) {
    clearInterval(poll);
    poll = setInterval(refresh, seconds * 1000 * (0.9 + Math.random() / 5));
  }

  function connect() {
    stop();
    var at = main.getAttribute("data-live");
    if (!at || document.hidden) return;
    every(window.EventSource ? 60 : 20);
    if (!window.EventSource) return;
    source = new EventSource(at);
    source.addEventListener("changed", refresh);
    source.addEventListener("over", refresh);
    source.addEventListener("place", function () { setTimeout(refresh, Math.random() * 4000); });
    source.onerror = function () { if (source && source.readyState === 2) every(20); };
  }

  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(location.pathname, { credentials: "same-origin", headers: { Accept: "text/html" } }).then(function (answer) {
      if (answer.redirected || (answer.status >= 400 && answer.status < 429)) { location.reload(); return; }
      if (answer.ok) return answer.text().then(show);
    }).catch(function () { /* no network: the next time */ }).then(function () {
      busy = false;
      if (again) { again = false; refresh(); }
    });
  }

  function show(text) {
    var page = new DOMParser().parseFromString(text, "text/html"), next = page.querySelector("main");
    if (!next) { location.reload(); return; }
    if (next.getAttribute("data-live") === main.getAttribute("data-live")) return;
    var turned = next.getAttribute("data-join-state") !== main.getAttribute("data-join-state");
    main.innerHTML = next.innerHTML;
    ["data-join-state", "data-live"].forEach(function (name) {
      if (next.hasAttribute(name)) main.setAttribute(name, next.getAttribute(name)); else main.removeAttribute(name);
    });
    document.title = page.title;
    var say = main.querySelector(".say") || main.querySelector("h1");
    if (turned && say) { say.tabIndex = -1; say.style.outline = "none"; say.focus(); }
    connect();
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden) stop(); else { refresh(); connect(); }
  });
  window.addEventListener("pagehide", stop);
  connect();
})();
