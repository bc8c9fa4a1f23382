"use strict";
const LIMIT = 20 * 2 ** 20;
const TOO_LARGE = `The picture has more than ${LIMIT / 2 ** 20} MB: choose a smaller one.`;
const PAUSE = 120;  // ms after a stroke, so that quick ones are read together
const UNSURE = 0.8;
const HEIGHTS = { digit: 512, row: 512, page: 1024 };  // of the drawing that is sent
const PENS = { digit: 6, row: 6, page: 1.5 };  // in hundredths of the height
const $ = (id) => document.getElementById(id);
const paper = $("paper");

// What is on the pad: strokes with points in units of its height, or a photo. Changes replace it, which makes undo easy.
// What was read of it, and the label that it is kept with, are beside it.
let state = { strokes: [], photo: null };
let past = [];
let drawing = null;  // the id of the pointer that draws

const layout = () => document.querySelector("input[name=layout]:checked").value;
const blank = () => !state.photo && !state.strokes.length;

function change(next) {
  past.push(state);
  state = next;
  show();
}

function show() {
  const { photo } = state;
  $("photo").hidden = !photo || photo.unseen;
  $("name").hidden = !photo?.unseen;
  if (photo && $("photo").src !== photo.url) $("photo").src = photo.url;
  $("name").textContent = photo ? `${photo.file.name}: no preview in this browser` : "";
  $("hint").hidden = !blank();
  $("undo").disabled = !past.length;
  $("clear").disabled = blank();
  paint();
  showLabel();
}

function paint() {
  trace(wiped(paper), paper.height, getComputedStyle(document.body).color);
  paintBoxes();
}

// The context of a canvas over the whole pad, one pixel of it for each of the screen, with nothing on it.
function wiped(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(paper.clientWidth * scale), height = Math.round(paper.clientHeight * scale);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const target = canvas.getContext("2d");
  target.clearRect(0, 0, width, height);
  return target;
}

function trace(target, height, colour) {
  target.strokeStyle = target.fillStyle = colour;
  target.lineCap = target.lineJoin = "round";
  for (const { width, points } of state.strokes) {
    const at = points.map(([x, y]) => [x * height, y * height]);
    target.lineWidth = width * height;
    target.beginPath();
    target.moveTo(...at[0]);
    for (let i = 1; i < at.length - 1; i++) {  // curves between the midpoints
      target.quadraticCurveTo(...at[i], (at[i][0] + at[i + 1][0]) / 2, (at[i][1] + at[i + 1][1]) / 2);
    }
    target.lineTo(...at[at.length - 1]);
    target.stroke();
  }
}

// Black on white whatever the theme.
function drawn() {
  const copy = document.createElement("canvas");
  copy.height = HEIGHTS[layout()];
  copy.width = Math.round(copy.height * paper.clientWidth / paper.clientHeight);
  const target = copy.getContext("2d");
  target.fillStyle = "#fff";
  target.fillRect(0, 0, copy.width, copy.height);
  trace(target, copy.height, "#000");
  return new Promise((done) => copy.toBlob(done, "image/png"));
}

function point(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.height, (event.clientY - box.top) / box.height];
}

paper.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button !== 0) return;
  event.preventDefault();
  drawing = event.pointerId;
  paper.setPointerCapture(drawing);
  clearTimeout(timer);
  const stroke = { width: Number($("width").value) / 100, points: [point(event)] };
  change({ strokes: [...state.strokes, stroke], photo: null });
});
paper.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  const events = event.getCoalescedEvents?.() ?? [];
  state.strokes.at(-1).points.push(...(events.length ? events : [event]).map(point));
  paint();
});
for (const kind of ["pointerup", "pointercancel"]) {
  paper.addEventListener(kind, (event) => {
    if (event.pointerId !== drawing) return;
    drawing = null;
    read(PAUSE);
  });
}

function undo() {
  if (drawing !== null || !past.length) return;
  state = past.pop();
  show();
  read();
}
function clear() {
  if (drawing !== null || $("clear").disabled) return;
  change({ strokes: [], photo: null });
  read();
}
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (event.target === $("text")) return;
  const held = event.ctrlKey || event.metaKey || event.altKey;
  if (held && !event.altKey && key === "z") { event.preventDefault(); undo(); }
  if (key === "escape" || key === "delete") clear();
  if (!held && !event.repeat && /^[0-9]$/.test(key) && event.target !== $("network")) press(key);
});

function take(file) {
  if (!file || drawing !== null) return;
  change({ strokes: [], photo: { file, url: URL.createObjectURL(file), unseen: false } });
  read();
}
$("photo").addEventListener("error", () => {
  if (state.photo) { state.photo.unseen = true; show(); }
});
$("photo").addEventListener("load", paint);  // from now on its size is known
$("photo").addEventListener("dragstart", (event) => event.preventDefault());
$("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
document.addEventListener("paste", (event) => take(event.clipboardData?.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer.files[0]);
});

