// One request at a time; what changed meanwhile is read after it.
let timer = 0, busy = false, again = false;
function read(pause = 0) {
  clearTimeout(timer);
  timer = setTimeout(send, pause);
}
async function send() {
  again = busy;
  if (busy) return;
  const asked = state;
  if (blank()) return answer({});
  if (asked.photo?.file.size > LIMIT) return answer({ error: TOO_LARGE });
  busy = true;
  document.body.classList.add("reading");
  const network = $("network").value && `&network=${encodeURIComponent($("network").value)}`;
  const result = await request(`read?layout=${layout()}${network}`, asked.photo ? asked.photo.file : await drawn());
  busy = false;
  document.body.classList.toggle("reading", again);
  if (asked === state && !again) answer(result);
  if (again) send();
}
async function request(path, body) {
  try {
    const response = await fetch(path, body && { method: "POST", body });
    const isJSON = response.headers.get("Content-Type") === "application/json";
    if (isJSON) return await response.json();
    return { error: `The server answered: ${response.status} ${response.statusText}.` };
  } catch {
    return { error: "The server does not answer: is it still running?" };
  }
}

function answer(result) {
  const { digits = "", confidence = 0, images = [], probabilities = [] } = result;
  let { error = "" } = result;
  state.result = result;
  if (!error && !blank() && !digits) error = `No digit was found in this ${state.photo ? "picture" : "drawing"}.`;
  $("digits").textContent = digits;
  $("sure").replaceChildren(blank() ? "Nothing to read yet" : "");
  $("sure").classList.toggle("unsure", confidence < UNSURE);
  if (digits) {
    const share = document.createElement("b");
    share.textContent = percent(confidence);
    $("sure").append(share, confidence < UNSURE ? "confidence, unsure" : "confidence");
  }
  $("message").textContent = sentence(error);
  $("message").hidden = !error;
  $("answer").hidden = $("seen-box").hidden = $("bars-box").hidden = Boolean(error);
  $("note").textContent = remarks(result);
  $("note").hidden = !$("note").textContent;
  const letters = digits.replaceAll("\n", "");
  const tiles = images.map((image, i) => tile(image, letters[i], () => choose(i)));
  $("seen").classList.toggle("many", layout() !== "digit");
  $("seen").replaceChildren(...(tiles.length ? tiles : [tile("", "", null)]));
  function choose(i) {
    tiles.forEach((other, k) => other.setAttribute("aria-pressed", k === i));
    bars(probabilities[i], tiles.length > 1 ? i + 1 : 0);
    result.chosen = tiles.length > 1 ? i : -1;
    paintBoxes();
  }
  if (tiles.length) choose(0); else bars();
  paintBoxes();
  showLabel();
  if (result.network && result.network !== $("network").selectedOptions[0]?.textContent) refresh();
}
const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

function remarks({ note = "", turns = 0 }) {
  const turned = ["", "a quarter turn to the left", "upside down", "a quarter turn to the right"][turns];
  const remark = turned && `The picture was turned ${turned} to be read, so no boxes are drawn.`;
  return [note && `${sentence(note)}.`, remark].filter(Boolean).join(" ");
}

// Where each digit was found, and its answer, over the drawing or the photo.
function paintBoxes() {
  const target = wiped($("boxes")), { result, photo } = state;
  if (!result?.boxes || result.turns || photo?.unseen) return;
  const [width, height] = result.size, [across, down] = [target.canvas.width, target.canvas.height];
  let scale = down / height, left = 0, top = 0;
  if (photo) {  // as object-fit: contain puts it
    const ratio = $("photo").naturalWidth / $("photo").naturalHeight;
    if (!(Math.abs(ratio * height / width - 1) < 0.02)) return;  // not loaded, or not upright in this browser
    scale = Math.min(across / width, down / height);
    [left, top] = [(across - scale * width) / 2, (down - scale * height) / 2];
  }
  const letters = result.digits.replaceAll("\n", ""), pixel = window.devicePixelRatio || 1;
  result.boxes.forEach((box, i) => {
    const [x, y, right, bottom] = box.map((value, k) => scale * value + (k % 2 ? top : left));
    const sure = result.confidences[i] >= UNSURE, size = Math.min(20, Math.max(11, 0.3 * (bottom - y) / pixel)) * pixel;
    const colour = getComputedStyle(document.body).getPropertyValue(sure ? "--sure" : "--unsure");
    target.strokeStyle = target.fillStyle = colour;
    target.lineWidth = (i === result.chosen ? 3 : 2) * pixel;
    target.setLineDash(sure ? [] : [6 * pixel, 4 * pixel]);
    target.strokeRect(x, y, right - x, bottom - y);
    const above = Math.max(0, y - 1.2 * size);
    target.fillRect(x - target.lineWidth / 2, above, 0.95 * size, 1.2 * size);
    target.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
    target.textAlign = "center";
    target.fillStyle = "#fff";
    target.fillText(letters[i], x - target.lineWidth / 2 + 0.475 * size, above + 0.96 * size);
  });
}

function tile(image, digit, choose) {
  const button = document.createElement("button");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  const pixels = canvas.getContext("2d").createImageData(28, 28);
  const values = Uint8Array.from(atob(image), (character) => character.charCodeAt(0));
  pixels.data.forEach((_, i) => { pixels.data[i] = i % 4 === 3 ? 255 : values[i >> 2] ?? 0; });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  button.type = "button";
  button.className = "tile";
  button.disabled = !choose;
  button.setAttribute("aria-label", choose ? `Seen as ${digit}: show its probabilities` : "Nothing yet");
  if (choose) button.addEventListener("click", choose);
  button.append(canvas);
  return button;
}

function bars(probabilities = Array(10).fill(0), place = 0) {
  const most = Math.max(...probabilities);
  $("bars-title").textContent = `The classifier's probabilities${place ? `, place ${place}` : ""}`;
  [...$("bars").children].forEach((line, digit) => {
    const share = probabilities[digit];
    line.classList.toggle("first", share > 0 && share === most);
    line.querySelector("i").style.setProperty("--share", `${100 * share}%`);
    line.querySelector("em").textContent = most ? percent(share) : "";
  });
}
// Never 100% where a doubt is left.
const percent = (share) => `${share < 1 ? Math.min(99.9, 100 * share).toFixed(1) : 100}%`;

for (let digit = 0; digit < 10; digit++) {
  const line = document.createElement("li"), label = document.createElement("span");
  label.textContent = digit;
  line.append(label, document.createElement("i"), document.createElement("em"));
  $("bars").append(line);
}
