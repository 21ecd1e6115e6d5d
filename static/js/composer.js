// The field that messages are written in: what has to be there with the first key. Sending is acts/outbox.js.
// Needs #composer with #text.
{
  // With a real keyboard Enter sends and Shift+Enter breaks the line. On a touch screen Enter is the
  // only way to a new line, and while composing (229 is Safari's way to say so) it picks a word.
  on("keydown", event => {
    if (event.target.id != "text" || event.key != "Enter" || event.shiftKey || event.altKey) return;
    if (event.isComposing || event.keyCode == 229 || !matchMedia("(pointer: fine)").matches) return;
    const { form, value } = event.target;
    if (!form || form.id != "composer" || !form.requestSubmit) return;
    event.preventDefault();
    // A key held down, or nothing but blanks, sends nothing.
    if (!event.repeat && value.trim()) form.requestSubmit();
  });

  // Who has a keyboard opens a room and writes; on a touch screen one would cover half of it.
  const text = find("#composer #text");
  if (text && document.activeElement == document.body && !location.hash && matchMedia("(pointer: fine)").matches) {
    text.focus();
    text.isIdle = true;
  }
}
