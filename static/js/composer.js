// The field that messages are written in: what has to be there with the first key. Sending is acts/outbox.js.
// Needs #composer with #text, and where script is to send it #pending, with data-author (the code of who writes).
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

  // What stands in the field when it is sent is the message, whoever sends it, and when: what is typed after that is the
  // next one. Before all others, who then know that the form does not leave the page.
  document.addEventListener("submit", event => {
    const form = event.target, list = find("#pending"), { body: field } = form.elements, answered = find("#answered");
    if (isPassing || !list || !form.matches("#composer[data-unsent]")) return;
    event.preventDefault();
    const body = field.value;
    if (!body.trim()) return;
    field.value = "";
    tell("sent");
    tell("post", {
      path: form.getAttribute("action"), body, at: Date.now(), author: list.dataset.author, answered: answered.outerHTML,
      nonce: crypto.getRandomValues(new Uint32Array(3)).join(""),
    });
    answered.replaceChildren();
  }, true);

  // Who has a keyboard opens a room and writes; on a touch screen one would cover half of it.
  const text = find("#composer #text");
  if (text && document.activeElement == document.body && !location.hash && matchMedia("(pointer: fine)").matches) {
    text.focus();
    text.isIdle = true;
  }
}
