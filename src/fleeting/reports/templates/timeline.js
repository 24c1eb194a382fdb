// The part of a recording that is looked at, over a strip that shows all of it; without script the strip remains.
(function () {
  "use strict";
  var source = document.getElementById("timeline-data"), lens = document.getElementById("lens");
  if (!source || !lens || !window.atob) return;
  var data = JSON.parse(source.textContent), total = data.duration;
  if (!(total > 0)) return;
  var canvas = lens.querySelector("canvas"), told = lens.querySelector(".told"), whole = lens.querySelector(".whole");
  var pane = lens.querySelector(".window"), focus = lens.querySelector(".focus"), pen = canvas.getContext("2d");
  data.faces.forEach(function (face) {
    var text = atob(face.values);
    face.course = new Uint8Array(text.length);
    for (var i = 0; i < text.length; i++) face.course[i] = text.charCodeAt(i);
  });
  var AXIS = 26, ROW = data.faces.length > 2 ? 90 : 150, least = Math.min(total, 0.2);
  var view = [0, total], chosen = -1, queued = false;
  focus.hidden = false;

  function clock(seconds, digits) {
    var whole = Math.round(Math.max(0, seconds) * Math.pow(10, digits)), unit = Math.pow(10, digits) * 60;
    var minutes = Math.floor(whole / unit), rest = ((whole % unit) / Math.pow(10, digits)).toFixed(digits);
    if (rest.length < (digits ? digits + 3 : 2)) rest = "0" + rest;
    return minutes >= 60 ? Math.floor(minutes / 60) + ":" + ("0" + (minutes % 60)).slice(-2) + ":" + rest : minutes + ":" + rest;
  }
  function show(from, to) {
    var span = Math.min(total, Math.max(least, to - from));
    from = Math.min(Math.max(0, from), total - span);
    view = [from, from + span];
    if (!queued) {
      queued = true;
      requestAnimationFrame(draw);
    }
  }
  function zoom(factor, about) {
    var at = about === undefined ? (view[0] + view[1]) / 2 : about;
    show(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  }
  function choose(index) {
    var event = data.events[index];
    if (!event) return;
    chosen = index;
    var about = Math.max(2 * (event.t[2] - event.t[0]), 1.5), span = Math.min(view[1] - view[0], Math.max(about * 2, 4));
    if (event.t[0] < view[0] || event.t[2] > view[1] || view[1] - view[0] === total) show(event.t[1] - span / 2, event.t[1] + span / 2);
    told.textContent = "";
    told.append("Event " + event.n + ", " + event.k + ", " + clock(event.t[0], 2) + " to " + clock(event.t[2], 2) +
      (event.c === null ? "" : ", confidence " + Math.round(event.c * 100) + " %") + (event.e ? ", looks most like " + event.e : "") + ". ");
    if (event.s) {
      var link = document.createElement("a");
      link.href = "#event-" + event.n;
      link.textContent = "Its pictures";
      told.append(link);
    }
    show(view[0], view[1]);
  }
  function draw() {
    queued = false;
    var style = getComputedStyle(lens), ratio = window.devicePixelRatio || 1;
    var colour = function (name) { return style.getPropertyValue("--" + name).trim(); };
    var width = canvas.clientWidth, height = ROW * data.faces.length + AXIS;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    var span = view[1] - view[0];
    var x = function (t) { return (t - view[0]) / span * width; };
    pen.font = "12px " + style.getPropertyValue("--sans");
    // The axis.
    var step = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600].find(function (s) { return s / span * width >= 64; }) || 7200;
    var digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (var k = Math.ceil(view[0] / step - 1e-9); k * step <= view[1] + 1e-9; k++) {
      pen.strokeStyle = colour("rule");
      pen.beginPath();
      pen.moveTo(x(k * step), 0);
      pen.lineTo(x(k * step), height - AXIS + 5);
      pen.stroke();
      var label = clock(k * step, digits), wide = pen.measureText(label).width;
      pen.fillStyle = colour("soft");
      pen.fillText(label, Math.min(width - wide - 2, Math.max(2, x(k * step) - wide / 2)), height - 8);
    }
    data.faces.forEach(function (face, row) {
      var base = ROW * (row + 1), tall = ROW - 26;
      pen.fillStyle = colour("rule");
      pen.globalAlpha = 0.6;
      face.gaps.forEach(function (gap) {
        if (gap[1] > view[0] && gap[0] < view[1]) pen.fillRect(x(gap[0]), base - tall, Math.max(1, x(gap[1]) - x(gap[0])), tall);
      });
      pen.globalAlpha = 1;
      data.events.forEach(function (event, index) {
        if (event.f !== row || event.t[2] < view[0] || event.t[0] > view[1]) return;
        var left = x(event.t[0]), right = Math.max(left + 2, x(event.t[2])), paint = colour(event.k === "micro" || event.k === "macro" ? event.k : "other");
        pen.fillStyle = paint;
        pen.globalAlpha = index === chosen ? 0.45 : 0.22;
        pen.fillRect(left, base - tall - 4, right - left, tall + 4);
        pen.globalAlpha = 1;
        pen.fillRect(left, base - tall - 6, right - left, index === chosen ? 4 : 2);
        if (right - left > 5) {
          pen.strokeStyle = paint;
          pen.beginPath();
          pen.moveTo(x(event.t[1]), base - tall);
          pen.lineTo(x(event.t[1]), base);
          pen.stroke();
        }
        var name = event.n + (event.e && right - left > 90 ? " " + event.e : "");
        if (right - left > pen.measureText(name).width + 2 || index === chosen) {
          pen.fillStyle = colour("ink");
          pen.fillText(name, Math.max(2, left), base - tall - 9);
        }
      });
      var n = face.course.length, first = Math.max(0, Math.floor(view[0] / total * n) - 1), last = Math.min(n, Math.ceil(view[1] / total * n) + 1);
      var each = Math.max(1, Math.ceil((last - first) / (2 * width)));
      pen.strokeStyle = colour("ink");
      pen.lineWidth = 1.25;
      pen.beginPath();
      for (var i = first - first % each, pending = true; i < last; i += each) {
        var top = -1;
        for (var j = i; j < Math.min(n, i + each); j++) if (face.course[j] !== 255 && face.course[j] > top) top = face.course[j];
        if (top < 0) { pending = true; continue; }
        var px = x((i + each / 2) / n * total), py = base - top / 254 * (tall - 6) - 1;
        if (pending) pen.moveTo(px, py); else pen.lineTo(px, py);
        pending = false;
      }
      pen.stroke();
      pen.lineWidth = 1;
      pen.strokeStyle = colour("strong-rule");
      pen.beginPath();
      pen.moveTo(0, base - 0.5);
      pen.lineTo(width, base - 0.5);
      pen.stroke();
      pen.fillStyle = colour("soft");
      if (data.faces.length > 1) pen.fillText("face " + face.name, 4, base - 6);
      var full = "score, up to " + face.top;
      if (n > 1) pen.fillText(full, width - pen.measureText(full).width - 4, base - tall + 12);
    });
    pane.hidden = span >= total;
    pane.style.left = view[0] / total * 100 + "%";
    pane.style.width = span / total * 100 + "%";
  }

  // One finger or the mouse drags, two fingers zoom.
  function dragged(element, move, done) {
    var held = {}, far = 0;
    element.addEventListener("pointerdown", function (e) {
      held[e.pointerId] = { x: e.clientX, from: e.clientX };
      element.setPointerCapture(e.pointerId);
      far = 0;
      canvas.classList.add("held");
    });
    element.addEventListener("pointermove", function (e) {
      var one = held[e.pointerId];
      if (!one) return;
      var other = Object.keys(held).filter(function (id) { return +id !== e.pointerId; })[0];
      if (other !== undefined && element === canvas) {
        var before = Math.abs(one.x - held[other].x), now = Math.abs(e.clientX - held[other].x);
        if (before > 8 && now > 8) zoom(before / now, timeAt((e.clientX + held[other].x) / 2));
      } else move(e, e.clientX - one.x);
      far = Math.max(far, Math.abs(e.clientX - one.from));
      one.x = e.clientX;
    });
    ["pointerup", "pointercancel"].forEach(function (name) {
      element.addEventListener(name, function (e) {
        if (held[e.pointerId] && name === "pointerup" && far < 5 && done) done(e);
        delete held[e.pointerId];
        canvas.classList.remove("held");
      });
    });
  }
  function timeAt(clientX) {
    var box = canvas.getBoundingClientRect();
    return view[0] + (clientX - box.left) / box.width * (view[1] - view[0]);
  }
  dragged(canvas, function (e, by) {
    var shift = by / canvas.clientWidth * (view[1] - view[0]);
    show(view[0] - shift, view[1] - shift);
  }, function (e) {
    var at = timeAt(e.clientX), near = (view[1] - view[0]) / canvas.clientWidth * 6;
    var row = Math.floor((e.clientY - canvas.getBoundingClientRect().top) / ROW);
    choose(data.events.findIndex(function (event) { return event.f === row && at >= event.t[0] - near && at <= event.t[2] + near; }));
  });
  dragged(whole, function (e, by) {
    var shift = by / whole.clientWidth * total;
    show(view[0] + shift, view[1] + shift);
  }, function (e) {
    var box = whole.getBoundingClientRect(), at = (e.clientX - box.left) / box.width * total;
    var span = view[1] - view[0] === total ? Math.max(least, total / 10) : view[1] - view[0];
    show(at - span / 2, at + span / 2);
  });
  canvas.addEventListener("wheel", function (e) {
    if (!e.ctrlKey && !e.metaKey && Math.abs(e.deltaX) <= Math.abs(e.deltaY)) return;
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) return zoom(Math.exp(e.deltaY / 300), timeAt(e.clientX));
    var shift = e.deltaX / canvas.clientWidth * (view[1] - view[0]);
    show(view[0] + shift, view[1] + shift);
  }, { passive: false });
  canvas.addEventListener("dblclick", function (e) { zoom(0.4, timeAt(e.clientX)); });
  var actions = {
    in: function () { zoom(0.5); },
    out: function () { zoom(2); },
    all: function () { show(0, total); },
    previous: function () { choose(neighbour(-1)); },
    next: function () { choose(neighbour(1)); },
  };
  function neighbour(way) {
    if (chosen >= 0) return Math.min(data.events.length - 1, Math.max(0, chosen + way));
    return way > 0 ? 0 : data.events.length - 1;
  }
  lens.querySelectorAll("[data-do]").forEach(function (button) {
    button.addEventListener("click", actions[button.dataset.do]);
    if (!data.events.length && /previous|next/.test(button.dataset.do)) button.disabled = true;
  });
  canvas.addEventListener("keydown", function (e) {
    var quarter = (view[1] - view[0]) / 4;
    var keys = {
      ArrowLeft: function () { show(view[0] - quarter, view[1] - quarter); },
      ArrowRight: function () { show(view[0] + quarter, view[1] + quarter); },
      "+": actions.in, "=": actions.in, "-": actions.out, Home: actions.all,
    };
    if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    keys[e.key]();
  });
  if (window.ResizeObserver) new ResizeObserver(function () { show(view[0], view[1]); }).observe(canvas);
  if (window.matchMedia) matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { show(view[0], view[1]); });
  show(0, total);
})();
