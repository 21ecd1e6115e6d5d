// What the button beside the words offers: to choose files, or to record a voice message.
let menu;
const closeMenu = isDone => {
  if (!menu) return;
  const button = find(".composer__attach");
  stopRecording();
  menu.remove();
  menu = null;
  if (button) button.ariaExpanded = "false";
  if (isDone) button?.focus();
};
const openMenu = button => {
  if (menu) return closeMenu(true);
  menu = panel.querySelector(".attach__menu").cloneNode(true);
  const input = menu.querySelector("input"), [chooser, recorder] = menu.querySelectorAll("button");
  // A press of its own: a browser opens its list of files only right after one.
  chooser.onclick = () => input.click();
  input.onchange = () => {
    const files = [...input.files];
    closeMenu();
    if (files.length) addFiles(files);
  };
  recorder.onclick = () => record(menu);
  if (!window.MediaRecorder || !navigator.mediaDevices) recorder.remove();
  menu.onkeydown = event => {
    if (event.key != "Escape") return;
    event.preventDefault();
    closeMenu(true);
  };
  button.form.prepend(menu);
  button.ariaExpanded = "true";
  chooser.focus();
};
// It is left by pressing beside it, or by going on with Tab; not while something is recorded.
on("pointerdown focusin", ({ target }) => {
  if (menu && !isRecording() && !target.closest(".attach__menu, .composer__attach")) closeMenu();
});
