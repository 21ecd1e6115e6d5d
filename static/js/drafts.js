// What is being written is stored with each letter, and is in the field again when the room is. What else becomes of it is
// acts/drafts.js. Needs the script element's data-session (whose drafts they are).
{
  const save = () => {
    const text = composerText();
    // A room that was opened in place has its draft in a moment: what stands in the field until then is none.
    if (text?.isFilled) change("drafts", drafts => {
      drafts[roomOf(text.form)] = text.value.trim() ? text.value : undefined;
    });
  };
  // What was typed before this script came stays. Else a draft, or none, is newer than what the browser fills in when
  // it goes back. That of a chat which the other has begun meanwhile has the address of before. A form that no script
  // sends leaves the page with the text: it is a draft again unless the next page says that it arrived, or brings it itself.
  const fill = () => {
    const text = composerText();
    let draft;
    change("drafts", drafts => {
      const { sent } = drafts, { chat } = text?.form.dataset || {};
      if (sent && location.hash != "#composer" && !text?.defaultValue) {
        drafts[sent[0]] = [sent[1], drafts[sent[0]]].join("\n").trim();
      }
      draft = drafts[roomOf(text?.form)] || drafts[chat];
      delete drafts.sent;
      delete drafts[chat];
      if (Object.keys(drafts).length > 1) tell("draft");
    });
    if (!text) return;
    const value = document.activeElement == text && text.value || draft || text.defaultValue;
    if (text.value != value) text.value = value;
    text.isFilled = true;
    save();
  };
  fill();
  // After the browser has filled in the form.
  on("pageshow", ({ persisted }) => {
    // A page that the browser had put aside, and restores for who has signed out since, or for somebody else.
    change("drafts", (_, isOther) => {
      if (!persisted || !isOther) return;
      texts.ended = 1;
      location.reload();
    });
    fill();
  }, window);
  onOpen(fill);
  // The composer of a room that was unlocked.
  on("htmx:after:process", ({ target }) => target.id == "composer" && fill());
  // The field is emptied when it is sent, and what was refused is returned (see acts/outbox.js).
  on("input sent", save);
  on("submit", ({ target, defaultPrevented }) => {
    const room = roomOf(target);
    if (room && !defaultPrevented) change("drafts", drafts => {
      drafts.sent = [room, target.elements.body.value];
      delete drafts[room];
    });
  });
}
