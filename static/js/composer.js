// The field that messages are written in: sending without waiting, and nothing that was typed is lost.
// Needs #composer with #text and data-unsent (what to say where the server does not), and #sending in it.
{
  // Text leaves the field the moment it is sent, so that the next can be typed at once, on a slow link too.
  // What did not get through is returned, before what was typed meanwhile.
  const onComposer = (name, act) => on(name, ({ detail: { ctx } }) => {
    const text = find("#text");
    if (text && ctx.sourceElement.id == "composer") act(ctx, text);
  });
  // What was returned and still stands at the beginning of the field; and the nonce it was sent with.
  let returned = "", nonce = "";
  const newNonce = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), n => n.toString(36)).join("");
  onComposer("htmx:config:request", (ctx, text) => {
    ctx.typed = text.value;
    // What was returned may have arrived all the same: the same nonce makes sending it again harmless.
    // All else gets one of its own. The page's may be used: by the post before, or before a way back to it.
    if (!nonce || text.value != returned) nonce = newNonce();
    ctx.request.body.set("nonce", ctx.nonce = nonce);
    text.value = returned = nonce = "";
  });
  // The request that says that somebody types waits up to three seconds: text that was sent meanwhile is past.
  on("htmx:config:request", event => {
    if (event.detail.ctx.sourceElement.matches("#composer > span") && !find("#text").value) event.preventDefault();
  });
  // Why text was returned holds until it is edited or sent once more, or something else goes wrong. It stays beside
  // the text when what was typed after it gets through.
  let reason = "";
  const removeProblems = () => findAll("#sending .problem").forEach(problem => problem.remove());
  const addProblem = message => {
    const sending = find("#sending"), problem = document.createElement("p");
    problem.className = "problem";
    problem.setAttribute("role", "alert");
    problem.textContent = message;
    if (sending) sending.append(problem);
  };
  on("input", event => {
    if (event.target.id != "text") return;
    reason = "";
    removeProblems();
  });
  onComposer("htmx:before:request", removeProblems);
  onComposer("htmx:finally:request", (ctx, text) => {
    const problem = find("#sending .problem");
    if (ctx.response && ctx.response.status < 300) return reason && returned && !problem && addProblem(reason);
    const isSecond = returned && text.value.startsWith(returned);
    const typed = isSecond ? text.value.slice(returned.length).replace(/^\n/, "") : text.value;
    nonce = isSecond ? "" : ctx.nonce;
    returned = isSecond ? returned + "\n" + ctx.typed : ctx.typed;
    text.value = typed ? returned + "\n" + typed : returned;
    // Where the server did not answer, or not with a problem of ours, nobody else says what happened.
    reason = problem ? problem.textContent : text.form.dataset.unsent;
    if (!problem) addProblem(reason);
  });

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
