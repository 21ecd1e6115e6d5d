// What every part of our script uses, and how htmx begins. All parts together are one function in one bundle (see
// webapp/http/assets.py), each in a block of its own; what is declared here, outside of a block, is known to all.
// Every page works without script: each listener says why it is worth having. They listen on document, so that what
// htmx swaps in later is covered too. Lines are stripped: comments have lines of their own, no string runs over two.
const find = css => document.querySelector(css);
const findAll = css => document.querySelectorAll(css);
const on = (names, act, where = document) => names.split(" ").forEach(name => where.addEventListener(name, act));
const onStream = (names, act) => on(names, event => event.target.id == "stream" && act(event));
// A log is read at its end where it is scrolled up by less than this many pixels; a reversed column counts from the end.
const isScrolledUp = element => element.scrollTop < -100;

// htmx begins by processing every element of the page, and opens the stream on its way: on a slow phone a third of a
// second in which nothing else moves. Few elements concern it, so each of them gets a turn of its own.
on("htmx:before:process", event => {
  if (event.target != document.body) return;
  event.preventDefault();
  findAll("[hx-get], [hx-post], [hx-sse\\:connect]").forEach(element => setTimeout(() => htmx.process(element)));
});
