// Names are completed behind an @, by a bundle of its own (the folder mentions/), which is told "call" at each letter of
// one. Without it a name is typed to its end. Needs #text.
{
  const call = ({ target }) => {
    if (target.id != "text" || !/@[\w.-]{0,30}$/.test(target.value.slice(0, target.selectionStart))) return;
    load("/static/mentions.js").then(() => tell("call"), () => {});
  };
  on("input", call);
  // What was typed until this script came.
  call({ target: document.activeElement });
}
