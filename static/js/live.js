/* Follows what happens while a console page is open. It keeps the figures in the navigation in step and tells the page's own
   scripts by events on document: "dp:requests" (detail.ids: requests that changed), "dp:notices", and "dp:reload" (more was missed
   than is kept: look at everything anew). Pages fetch what they may see themselves. */
(function () {
  "use strict";
  var at = document.body.getAttribute("data-live");
  if (!at || !window.fetch) return;
  var source = null, poll = 0, soon = 0, last = "";

  function say(name, detail) { document.dispatchEvent(new CustomEvent("dp:" + name, { detail: detail || {} })); }

  function badge(link, name, text) {
    var mark = link.querySelector(".dp-count");
    if (!text) { if (mark) mark.remove(); return; }
    if (!mark) {
      mark = document.createElement("span");
      mark.className = "dp-count" + (name === "approvals" ? " is-quiet" : "");
      link.appendChild(mark);
    }
    if (mark.textContent !== text) mark.textContent = text;
  }

  function counts() {
    soon = 0;
    fetch("/live/counts", { credentials: "same-origin", headers: { Accept: "application/json" } }).then(function (answer) {
      if (answer.status === 401) { stop(); return; }
      if (answer.ok) return answer.json().then(function (all) {
        Object.keys(all).forEach(function (name) {
          document.querySelectorAll('.dp-nav a[href="/' + name + '"], .dp-tabs a[href="/' + name + '"]').forEach(function (link) { badge(link, name, all[name]); });
        });
        say("counts", all);
      });
    }).catch(function () { /* no network: the next time */ });
  }

  function changed() { if (!soon) soon = setTimeout(counts, 300); }

  function stop() {
    if (source) source.close();
    source = null;
    clearInterval(poll);
  }

  function on(name, detail) {
    source.addEventListener(name, function (e) {
      last = e.lastEventId || last;
      say(name, detail(e));
      changed();
    });
  }

  function connect() {
    stop();
    if (document.hidden) return;
    poll = setInterval(function () { if (!source || source.readyState === 2) { say("reload"); counts(); } }, 60000);
    if (!window.EventSource) return;
    source = new EventSource(last ? "/live?after=" + last : at);
    on("requests", function (e) { return JSON.parse(e.data); });
    on("notices", function () { return {}; });
    on("reload", function () { return {}; });
    source.addEventListener("over", stop);
  }

  document.addEventListener("visibilitychange", function () { if (document.hidden) stop(); else connect(); });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", function (e) { if (e.persisted) connect(); });
  connect();
})();
