// The queue of join requests, smoother: decided rows change in place, what others do appears by itself, and the keyboard
// reaches everything. Without this file the same forms post and the same links lead on.
(function () {
  'use strict';
  var list = document.getElementById('queue'), news = document.getElementById('q-new'), say = document.getElementById('q-say');
  if (!news) return;

  function row(id) { return document.getElementById('row' + id); }
  function rows() { return list ? Array.prototype.slice.call(list.children) : []; }
  function number(li) { return li.id.slice(3); }
  function name(li) { return li.querySelector('.dp-who a'); }

  // A press shows at once; the server's answer is what stays, also when somebody else was first.
  document.addEventListener('htmx:beforeRequest', function (e) {
    var target = e.detail.target;
    if (target && target.id.indexOf('row') === 0) target.classList.add('is-busy');
  });
  document.addEventListener('htmx:beforeSwap', function (e) {
    var target = e.detail.target, status = e.detail.xhr.status;
    if (!target || target.id.indexOf('row') !== 0) return;
    if (status === 409) { e.detail.shouldSwap = true; e.detail.isError = false; return; }
    if (status >= 400) { target.classList.remove('is-busy'); plainly(target); }
  });
  document.addEventListener('htmx:sendError', function (e) {
    var target = e.detail.target;
    if (target && target.id.indexOf('row') === 0) { target.classList.remove('is-busy'); plainly(target); }
  });
  document.addEventListener('htmx:afterSwap', function (e) {
    var target = e.detail.target;
    if (!target || target.id.indexOf('row') !== 0) return;
    var now = document.getElementById(target.id);
    if (!now) return;
    var next = now.dataset.state === 'pending' ? now : beside(now, 1) || now; // what is still to be decided keeps the focus: it says why
    if (name(next)) name(next).focus();
  });
  // What cannot be shown in place is shown as a page: the form posts as it would without a script.
  function plainly(li) {
    var form = document.getElementById('one' + number(li));
    if (form) HTMLFormElement.prototype.submit.call(form);
  }

  function current() {
    var li = document.activeElement && document.activeElement.closest && document.activeElement.closest('#queue > li');
    return li || null;
  }
  function beside(li, step) {
    var all = rows().filter(function (r) { return r === li || r.dataset.state === 'pending' || list.classList.contains('is-done'); });
    return all[all.indexOf(li) + step];
  }
  function go(step) {
    var li = current(), to = li ? beside(li, step) : rows()[0];
    if (to && name(to)) { name(to).focus(); to.scrollIntoView({ block: 'nearest' }); }
  }
  var acts = {
    j: function () { go(1); },
    k: function () { go(-1); },
    a: function (li) { click(li, '.dp-ok'); },
    r: function (li) { click(li, '.dp-q-acts a'); },
    x: function (li) { click(li, 'input[type="checkbox"]'); },
    o: function (li) { click(li, '.dp-q-more > summary'); },
    '?': function () { help(); }
  };
  function click(li, what) {
    var control = li && li.querySelector(what);
    if (control) control.click();
  }

  // One key alone must not act while somebody types, and can be switched off.
  var dialog = document.getElementById('q-keys'), button = document.getElementById('q-help'), keys = document.getElementById('q-keys-on');
  var off = 'doorplate.queue.keys';
  function stored() { try { return localStorage.getItem(off) !== 'off'; } catch (e) { return true; } }
  if (dialog && dialog.showModal && button) {
    button.hidden = false;
    keys.checked = stored();
    button.addEventListener('click', help);
    keys.addEventListener('change', function () { try { localStorage.setItem(off, keys.checked ? 'on' : 'off'); } catch (e) { /* stays on */ } });
  }
  function help() { if (dialog && dialog.showModal && !dialog.open) dialog.showModal(); }
  document.addEventListener('keydown', function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || dialog && dialog.open) return;
    if (e.target.closest && e.target.closest('textarea, select, [contenteditable], input:not([type="checkbox"])')) return;
    if (!acts[e.key] || !list || keys && !keys.checked) return;
    e.preventDefault();
    acts[e.key](current());
  });

  // What others do. The server is asked what this reader may see of it.
  var fresh = {}, asked = {}, timer = 0;
  function heard(ids) {
    ids.forEach(function (id) { if (row(id)) asked[id] = true; else fresh[id] = true; });
    if (!timer) timer = setTimeout(look, 150);
  }
  function look() {
    timer = 0;
    var query = new URLSearchParams();
    Object.keys(asked).slice(0, 100).forEach(function (id) { query.append('id', id); });
    Object.keys(fresh).slice(-100).forEach(function (id) { query.append('new', id); });
    asked = {};
    query.append('back', news.dataset.back);
    fetch(news.dataset.rows + '?' + query, { headers: { Accept: 'text/html' }, credentials: 'same-origin' }).then(function (answer) {
      return answer.ok ? answer.text() : '';
    }).then(show, function () { /* the next event asks again */ });
  }
  function show(html) {
    if (!html) return;
    var doc = new DOMParser().parseFromString(html, 'text/html');
    Array.prototype.forEach.call(doc.querySelectorAll('ul > li[id]'), function (now) {
      var old = document.getElementById(now.id);
      if (!old || old.classList.contains('is-busy') || old.dataset.state === now.dataset.state) return;
      var had = old.contains(document.activeElement);
      old.replaceWith(document.adoptNode(now));
      if (had && name(now)) name(now).focus();
      if (say) say.textContent = (name(now) ? name(now).textContent + ' ' : '') + (now.querySelector('.dp-b') ? now.querySelector('.dp-b').textContent : '');
    });
    var link = doc.querySelector('body > a');
    news.replaceChildren();
    if (link) news.appendChild(document.adoptNode(link));
  }
  if (window.EventSource && news.dataset.live) {
    var lost = false, live = new EventSource(news.dataset.live);
    live.addEventListener('requests', function (e) { heard(e.data.match(/\d+/g) || []); });
    live.onerror = function () { lost = true; };
    live.onopen = function () { // what happened in between was not heard
      if (lost) heard(rows().map(number));
      lost = false;
    };
    window.addEventListener('pagehide', function () { live.close(); });
  }
})();
