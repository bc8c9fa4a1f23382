// Which networks can answer, and what is kept: as the server says.
async function refresh() {
  const known = await request("state");
  if (!known.error) told(known);
}
function told({ networks, kept }) {
  const chosen = $("network").value;
  $("network").replaceChildren(...Object.entries(networks).map(([name, label]) => new Option(label, name)));
  $("network").value = chosen in networks ? chosen : Object.keys(networks)[0];
  $("network-box").hidden = false;
  if (chosen && chosen !== $("network").value) read();
  $("keeping").hidden = $("label-box").hidden = !kept;
  $("fate").textContent = kept ? "It is kept there only if you label it." : "It is not kept.";
  if (!kept) return;
  $("count").textContent = `${kept.count.toLocaleString("en")} ${kept.count === 1 ? "picture" : "pictures"}`;
  $("folder").textContent = kept.folder;
  $("command").textContent = kept.command;
}
$("network").addEventListener("change", () => read());
window.addEventListener("focus", refresh);

// The label of what is on the pad: a click or a key for one digit, text for a row.
function showLabel() {
  const single = layout() === "digit", page = layout() === "page", { label = "", result } = state;
  $("choices").hidden = !single;
  $("text-form").hidden = single || page;
  $("kept").hidden = page;
  $("label-title").textContent = page
    ? "Pages are not kept: choose one digit, or a row of digits."
    : single ? "Which digit is it? Click it, or press its key." : "What is it? Correct the answer, and keep it.";
  for (const button of $("choices").children) {
    button.disabled = blank();
    button.setAttribute("aria-pressed", button.textContent === label);
  }
  $("text").disabled = $("keep").disabled = blank();
  $("text").value = state.text ?? (label || result?.digits || "");
  say(label && `Kept as ${label}.`);
  $("forget").hidden = !label;
}
function say(text, wrong = false) {
  $("kept-as").textContent = text;
  $("kept").classList.toggle("unkept", wrong);
}

function press(digit) {
  if (!$("label-box").hidden && layout() === "digit") keep(digit);
}
async function keep(digits) {
  const asked = state;
  if (blank() || drawing !== null) return;
  say("Keeping…");
  asked.body ??= asked.photo ? asked.photo.file : await drawn();  // the same one again, so that it gets another label
  const result = asked.body.size > LIMIT ? { error: TOO_LARGE } : await request(`keep?digits=${digits}`, asked.body);
  if (!result.error) {
    asked.label = digits;
    told(result);
  }
  if (asked !== state) return;
  showLabel();
  if (result.error) say(sentence(result.error), true);
}
for (let digit = 0; digit < 10; digit++) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = digit;
  button.addEventListener("click", () => keep(button.textContent));
  $("choices").append(button);
}
$("text").addEventListener("input", () => { state.text = $("text").value; });
$("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("text").blur();
  keep($("text").value);
});
$("forget").addEventListener("click", () => keep(""));

const INVITATIONS = { digit: "Draw here", row: "Draw several digits in a row", page: "Draw rows of digits" };
for (const choice of document.querySelectorAll("input[name=layout]")) {
  choice.addEventListener("change", () => {
    document.body.dataset.layout = layout();
    $("invitation").textContent = INVITATIONS[layout()];
    $("width").value = PENS[layout()];
    delete state.result;  // it was an answer to something else
    show();
    read();
  });
}
document.querySelector("input[value=digit]").checked = true;  // whatever the browser remembers
new ResizeObserver(paint).observe(paper);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
answer({});
show();
refresh();
