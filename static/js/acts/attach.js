// Files for a message: chosen by the button in the composer, pasted into it, or dropped anywhere on the page. All else is a
// bundle of its own (the folder attach/), told as "attach". Finished files of a room's draft are in its composer again
// when the room is. Without script the button leads to the page for files.
// Needs #composer with .composer__attach.
{
  const button = () => find("#composer .composer__attach");
  const attach = detail => bring("/static/attach.js", "attach", detail);
  on("click", event => {
    if (!event.target.closest(".composer__attach")) return;
    event.preventDefault();
    attach({ button: button() });
  });
  on("paste", event => {
    const { files, types } = event.clipboardData;
    // What is copied from a text has a picture of it besides.
    if (!files.length || types.includes("text/plain") || !button() || event.target.id != "text") return;
    event.preventDefault();
    attach({ files: [...files] });
  });
  let timer;
  const mark = is => find("#main").classList.toggle("dropping", is);
  on("dragover drop", event => {
    const { dataTransfer, type } = event;
    if (!dataTransfer.types.includes("Files") || !button()) return;
    event.preventDefault();
    clearTimeout(timer);
    mark(type == "dragover");
    // Nothing tells that it has left the window.
    timer = setTimeout(mark, 500, false);
    if (type == "drop") attach({ files: [...dataTransfer.files] });
  });
  // What was sent before the page was loaded again, or belongs to words that were refused (see outbox.js).
  on("unanswered", ({ detail: [room, , files] }) => files && attach({ room, back: { files } }));
  const restore = () => {
    const room = roomOf(find("#composer"));
    if (button()) change("drafts", drafts => {
      const back = drafts[room + "?files"];
      if (back) attach({ room, back });
    });
  };
  // After all parts are there.
  setTimeout(restore);
  onOpen(restore);
}
