// A message stands on the screen the moment it is sent, in a list of its own below the log until the server has
// answered: what the stream puts at the log's end, what is read and what is trimmed never meets it. One is sent at a
// time, in order, each with its nonce, so that to send it twice is harmless. They outlive the page, not the tab.
// Needs #pending with two texts, and #composer[data-unsent] with #text and #sending. What is sent comes as "post" (see
// composer.js).
{
  const ANSWER_MS = 15000, RETRY_MS = [1000, 2000, 4000, 5000], BY_ITSELF_MS = 600000;
  let posts, inFlight, isStreamed, tries = 0, waitUntil = 0, timer;
  const load = () => {
    posts = [];
    change("outbox", outbox => posts = outbox.posts || posts);
  };
  const store = () => change("outbox", outbox => outbox.posts = posts);

  const make = (name, className, textContent = "") =>
    Object.assign(document.createElement(name), { className, textContent });
  // Those of the room that is shown, and none else.
  const shownPath = () => find("#composer[data-unsent]")?.getAttribute("action");
  const draw = () => {
    const list = find("#pending"), path = shownPath();
    if (!list) return;
    const shown = posts.filter(post => post.path == path), items = {};
    [...list.children].forEach(item => {
      if (shown.some(post => post.nonce == item.dataset.nonce)) items[item.dataset.nonce] = item;
      else item.remove();
    });
    shown.forEach(post => {
      let item = items[post.nonce];
      if (!item) {
        item = make("li", "message message--continues");
        Object.assign(item.dataset, { nonce: post.nonce, author: post.author });
        const body = make("div", "message__body pending__body", post.shown || post.body);
        const unsent = make("p", "pending__unsent", list.dataset.unsent + " ");
        body.dir = "auto";
        if (post.answered) body.prepend(...parse(post.answered).querySelectorAll(".said"));
        unsent.append(make("button", "link pending__again", list.dataset.again));
        item.append(body, unsent);
        list.append(item);
      }
      item.classList.toggle("pending--unsent", !!post.isUnsent);
      // The stream has brought it before the answer: the answer is waited for, but not shown to be.
      item.hidden = post == inFlight && isStreamed;
    });
  };

  const removeProblems = (what = ".problem") => findAll("#sending " + what).forEach(found => found.remove());
  const addProblem = text => {
    const problem = make("p", "problem", text);
    problem.setAttribute("role", "alert");
    removeProblems();
    find("#sending").append(problem);
  };
  // Why words came back holds until they are changed or sent; why they wait holds as long as they do.
  const clearProblems = what => posts[0]?.reason || removeProblems(what);
  // Back into the field, before what was typed meanwhile, with the reason. Those for another room become its draft.
  const giveBack = (path, text, reason, status) => {
    if (path != shownPath()) tell("unsent", [path.replace(/\/messages$/, ""), text]);
    else {
      const field = find("#text");
      field.value = field.value ? text + "\n" + field.value : text;
      addProblem(reason || field.form.dataset.unsent);
      tell("sent");
    }
    tell("refused", { status });
  };

  // A message stands once, at the place of its number, whichever way it comes first. Whether it was put there. Its version is
  // that of its words: where the stream brings the same words its reactions are newer, in an answer they may be older.
  const place = (item, isFromStream) => {
    const log = find("#log"), number = numberOf(item);
    let before = log.lastElementChild;
    while (before && !(numberOf(before) && numberOf(before) <= number)) before = before.previousElementSibling;
    if (!before) log.prepend(item);
    else if (before.id != item.id) before.after(item);
    else if (+before.dataset.version < +item.dataset.version + isFromStream) before.replaceWith(item);
    else return false;
    htmx.process(item);
    return true;
  };
  onStream("htmx:before:swap", ({ detail }) => {
    const main = detail.tasks.find(task => task.type == "main"), log = find("#log"), list = find("#pending");
    if (!main || !log || !list) return;
    main.fragment.querySelectorAll("li[data-version]").forEach(item => {
      if (inFlight && item.dataset.author == list.dataset.author) isStreamed = true;
      const last = [...log.querySelectorAll("li[data-version]")].pop();
      if (!last || numberOf(last) < numberOf(item)) return;
      item.remove();
      place(item, 1);
    });
    draw();
  });

  const finish = (post, message, word) => {
    posts = posts.filter(one => one.nonce != post.nonce);
    tries = 0;
    if (post.reason) removeProblems();
    if (post.path == shownPath() && find("#pending")) {
      // An answer that is so late that the log has come to begin further on belongs to the earlier messages.
      const first = find("#log > [data-version]"), isLate = message && first && numberOf(message) < numberOf(first);
      // How far the one before has come is no longer of interest.
      if (message && !isLate && place(message, 0)) find("#receipt")?.replaceChildren();
      find("#join")?.remove();
      // Whom it did not reach; until the next one is sent.
      if (word) find("#sending").append(word);
    }
    // What carried a post carries a stream (see stream.js).
    tell("reached", null, window);
  };
  const postpone = (post, status, answer, reason) => {
    let wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
    post.isUnsent = true;
    post.reason = status == 429 && reason;
    if (status == 429) {
      wait = 1000 * answer.headers.get("Retry-After") || wait;
      waitUntil = Date.now() + wait;
      if (post.path == shownPath()) addProblem(reason);
    }
    timer = setTimeout(send, wait);
  };
  // A single message is too long, or too large; elsewhere nothing more can be said, and all for that room comes back.
  const refuse = (post, reason, status) => {
    const isAlone = status == 413 || status == 422;
    const refused = posts.filter(one => isAlone ? one.nonce == post.nonce : one.path == post.path);
    posts = posts.filter(one => !refused.includes(one));
    if (!refused.length) return;
    giveBack(post.path, refused.map(one => one.body).join("\n"), reason, status);
    refused.forEach(one => tell("unanswered", [one.path.replace(/\/messages$/, ""), one.answered || "", one.files]));
  };
  const send = async () => {
    const [post] = posts;
    if (inFlight || !post || Date.now() < waitUntil || Date.now() - post.at > BY_ITSELF_MS) return;
    clearTimeout(timer);
    inFlight = post;
    const abort = new AbortController(), limit = setTimeout(() => abort.abort(), ANSWER_MS);
    const { path, body, nonce, author, answered, everyone = "", more = [] } = post;
    const reply_to = parse(answered || "").querySelector("input")?.value || "";
    let answer, page, isMeant;
    try {
      answer = await fetch(path, {
        method: "POST", headers: { "HX-Request": "true" }, signal: abort.signal,
        // Of its files, which have arrived already (see attach/sending.js).
        body: new URLSearchParams([...Object.entries({ body, nonce, author, reply_to, everyone }), ...more]),
      });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {}
    clearTimeout(limit);
    inFlight = isStreamed = null;
    const status = page ? answer.status : 0, message = page?.querySelector("li[data-version]");
    const reason = page?.querySelector(".problem")?.firstChild.textContent, isQuestion = page?.querySelector("[name=everyone]");
    // A process of the version before answers without the message, which the stream brings: drop that in 0.3.
    if (status < 300 && (message || page?.querySelector("#sending"))) finish(post, message, page.querySelector(".done"));
    // What is no answer of ours counts as none: a network that asks to sign in first, a proxy.
    // In slow mode the words come back with how long it is: what waits here would hold up other rooms.
    else if (status < 400 || status == 429 && !page.querySelector("[data-slow]") || status >= 500) postpone(post, status, answer, reason);
    // Whether everyone in a large room is to be called.
    else if (isQuestion && confirm(reason)) isMeant = post.everyone = 1;
    else refuse(post, reason, status);
    store();
    draw();
    if (posts[0] != post || isMeant) send();
  };
  const sendNow = () => {
    tries = 0;
    send();
  };

  on("post", ({ detail: post }) => {
    // One from before this script had come is stored already.
    if (!posts.some(({ nonce }) => nonce == post.nonce)) posts.push(post);
    clearProblems("p");
    store();
    draw();
    send();
    // With the next frame, which lays the page out anyway.
    requestAnimationFrame(() => {
      find(".scroller").scrollTop = 0;
      find("#pending").scrollTop = 1e6;
    });
  });
  // What waits goes with the session, also what is under way while the page ends.
  on("submit", ({ target }) => {
    if (target.getAttribute("action") != "/logout") return;
    posts = [];
    store();
  });
  // The request that says that somebody types waits up to three seconds: text that was sent meanwhile is past.
  on("htmx:config:request", event => {
    if (event.detail.ctx.sourceElement.matches("#composer > span") && !find("#text").value) event.preventDefault();
  });
  // The button must not take the focus: on a touch screen the keyboard would go, and come again.
  on("mousedown", event => {
    if (event.target.closest(".composer__send") && document.activeElement.id == "text") event.preventDefault();
  });
  // After ten minutes nobody expects it any more: then only a press sends.
  on("click", event => {
    if (!event.target.closest(".pending__again")) return;
    posts.forEach(post => post.at = Date.now());
    sendNow();
  });
  // That somebody types is said when the letter is on the screen: to make a request takes longer than to show it.
  on("input", ({ target }) => {
    if (target.id != "text") return;
    clearProblems();
    setTimeout(tell, 50, "typed", null, target);
  });
  // When the line is back, as far as the browser or the stream knows.
  on("online", sendNow, window);
  onStream("htmx:sse:after:connection", sendNow);
  // Another page of this tab may have sent them while the browser had put this one aside.
  on("pageshow", event => {
    if (event.persisted) load();
    draw();
    sendNow();
  }, window);
  // Another room was opened in place.
  on("htmx:after:process", ({ target }) => target.id == "main" && draw());

  load();
  store();
  draw();
  send();
}
