// What is done to a message is done where it stands: the forms of its page come into it, and nothing in the composer, in
// the log or above it is lost. Without this the links of its tray lead to those pages.
{
  const reportPathOf = item => `/report?about=message:${roomPath().split("/")[2]}:${numberOf(item)}`;
  // In a tray the links name the act (?edit=70); that of an older page leads to the page of all of them.
  const actOf = link => {
    if (link.matches(".message__more")) return isMine(link.closest("li")) ? "edit" : "report";
    return (/^\?(link|edit|remove|report|unread|more)=/.exec(link.getAttribute("href")) || [])[1];
  };
  const me = () => find("#composer")?.dataset.me;
  const isMine = item => item.dataset.author == me();
  const isBusy = form => form.getAttribute("aria-busy") == "true";
  const setBusy = (form, is) => form.setAttribute("aria-busy", is);

  // The forms that stand in messages now, and what had the focus before each.
  const forms = new Map();
  const watcher = new MutationObserver(() => forms.forEach((_, form) => form.isConnected || reattach(form)));
  let focused;
  on("focusin", ({ target }) => focused = target);
  const itemOf = form => document.getElementById(forms.get(form).id);
  const attach = (form, item) => {
    item.append(form);
    item.classList.toggle("message--editing", form.matches(".act--edit"));
  };
  // The stream has brought the message anew, edited elsewhere or removed, or the whole log.
  const reattach = form => {
    const item = itemOf(form), field = form.elements.body;
    if (item && !item.matches(".message--removed")) {
      attach(form, item);
      if (focused && form.contains(focused)) focused.focus({ preventScroll: true });
      return;
    }
    const isChanged = field && field.value != field.defaultValue, composer = find("#text");
    close(form);
    if (!isChanged) return;
    // What was typed must not go with the message that it was for.
    if (composer) {
      composer.value = [composer.value, field.value].filter(text => text.trim()).join("\n");
      composer.dispatchEvent(new Event("input", { bubbles: true }));
    }
    announce(form.dataset.removed);
  };
  const close = form => {
    if (!forms.has(form)) return;
    const { opener, id } = forms.get(form), item = document.getElementById(id);
    const hadFocus = focused && form.contains(focused);
    const back = hadFocus && (opener.isConnected ? opener : item && item.querySelector("summary, .message__more"));
    // As long as nothing has changed: to give the focus lays out what has, and it would be done twice.
    if (back) back.focus({ preventScroll: true });
    forms.delete(form);
    form.remove();
    if (item) item.classList.remove("message--editing");
    if (!forms.size) watcher.disconnect();
  };
  on("leave", () => {
    watcher.disconnect();
    forms.clear();
  });
  const show = (form, item, opener) => {
    forms.set(form, { id: item.id, opener });
    attach(form, item);
    watcher.observe(item.parentNode, { childList: true });
    const field = form.elements.body || form.querySelector("button:not([type])");
    field.focus();
    if (field.value && field.select) field.selectionStart = field.value.length;
    form.scrollIntoView({ block: "nearest" });
  };

  // The message whose form is on its way: pressed twice there is one.
  let coming;
  const open = async (act, item, opener) => {
    if (coming == item.id) return;
    const isOpen = [...forms.keys()].find(form => forms.get(form).id == item.id);
    if (isOpen) close(isOpen);
    coming = item.id;
    const [answer] = await Promise.all([ask(messagePath(item) + "/edit"), styled]);
    coming = "";
    const content = parse(answer.html), form = content.querySelector(`form.act--${act}`) || content.querySelector("form.act");
    const now = document.getElementById(item.id);
    if (form && now) show(form, now, opener);
    else announce(problemIn(answer.html));
  };
  const mayEdit = item => item && !item.matches(".message--removed, .message--hidden");

  // The message as the answer has it: the stream brings it too, or has already, or is broken just now.
  const replace = html => {
    const item = parse(html).querySelector("li.message"), old = item && document.getElementById(item.id);
    if (!old || +old.dataset.version >= +item.dataset.version) return;
    old.replaceWith(item);
    htmx.process(item);
  };
  const send = async (form, submitter) => {
    if (isBusy(form)) return;
    const body = new URLSearchParams(new FormData(form));
    if (submitter && submitter.name) body.set(submitter.name, submitter.value);
    setBusy(form, true);
    const { ok, status, html } = await ask(submitter?.getAttribute("formaction") || form.action, body);
    setBusy(form, false);
    if (ok) {
      close(form);
      return form.matches(".act--more") ? done(html, body.get("do")) : replace(html);
    }
    if (!forms.has(form)) return announce(problemIn(html));
    const next = parse(html).querySelector("form.act--edit"), item = itemOf(form);
    if (next && item) {
      // Refused, with the reason beside the words; what was typed meanwhile is newer than what the answer repeats.
      next.elements.body.value = form.elements.body.value;
      const { opener } = forms.get(form);
      forms.delete(form);
      form.remove();
      return show(next, item, opener);
    }
    let problem = form.querySelector(":scope > .problem");
    if (!problem) {
      problem = document.createElement("p");
      problem.className = "problem";
      problem.setAttribute("role", "alert");
      form.prepend(problem);
    }
    problem.textContent = status ? problemIn(html) : texts.failed;
  };

  const done = (html, act) => {
    announce(parse(html).textContent.trim());
    // It would be read again at once: until the page is left nothing is reported (see log.js).
    if (act == "unread") tell("unread");
  };
  const press = async (href, fields) => {
    const { ok, html } = await ask(href, new URLSearchParams(fields));
    if (ok) done(html, fields.do);
    else announce(problemIn(html));
  };
  const markUnread = item => press(roomPath() + "/settings", { do: "unread", number: numberOf(item) });
  // By a key it takes no menu (see keys.js).
  on("act", ({ target, detail }) => detail == "u" ? markUnread(target) : press(messagePath(target) + "/save", {}));

  const report = async (href, opener) => {
    const [answer] = await Promise.all([ask(href), styled]);
    if (!answer.ok) return announce(problemIn(answer.html));
    const { dialog, fill } = openSheet(answer.html, opener);
    dialog.onsubmit = async event => {
      const form = event.target;
      // To block somebody changes what every page shows: that is left to the browser.
      if (!form.elements.about) return;
      event.preventDefault();
      if (isBusy(form)) return;
      setBusy(form, true);
      const { html } = await ask(form.action, new URLSearchParams(new FormData(form)));
      setBusy(form, false);
      if (parse(html).querySelector("h2")) fill(html);
      else announce(problemIn(html));
    };
  };

  on("click", event => {
    const { target } = event, link = target.closest("a[href]");
    if (!link || event.button || hasModifier(event)) return;
    const form = link.closest("form.act"), item = link.closest("#log > .message");
    if (form && forms.has(form) && !/\/report\?/.test(link.href)) {
      event.preventDefault();
      return close(form);
    }
    const act = item && actOf(link);
    // Of somebody I have blocked a style hides the words and all of the tray but its first link, which leads to them.
    if (!act || !item.querySelector(".message__body").getClientRects().length) return;
    event.preventDefault();
    const tray = link.closest("details"), opener = tray ? tray.querySelector("summary") : link;
    if (tray) tray.open = false;
    if (act == "link") copyText(new URL(messagePath(item), location.href).href);
    else if (act == "unread") markUnread(item);
    else if (act == "report") report(reportPathOf(item), opener);
    else open(act, item, opener);
  });
  on("submit", event => {
    if (!forms.has(event.target)) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  on("keydown", event => {
    const { target, key } = event, form = target.form || target.closest?.("form.act");
    if (event.isComposing || event.keyCode == 229) return;
    if (form && forms.has(form)) {
      if (key == "Escape") {
        event.preventDefault();
        close(form);
      } else if (key == "Enter" && target.name == "body" && !hasModifier(event) && matchMedia("(pointer: fine)").matches) {
        event.preventDefault();
        if (!event.repeat) send(form);
      }
    } else if (key == "ArrowUp" && target.id == "text" && !target.value && !hasModifier(event)) {
      // As everywhere else: in an empty field the key edits what one has said last.
      const mine = [...findAll("#log > .message")].filter(item => isMine(item) && mayEdit(item)).pop();
      if (!mine || event.repeat) return;
      event.preventDefault();
      open("edit", mine, target);
    }
  });
}
