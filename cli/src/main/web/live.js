// A run as it happens: the server sends what is new, and the page draws it.
import { h, say, visible } from "./dom.js";
import { run } from "./data.js";

/** Follows the run that serves this page; of a page on disk there is nothing to follow. */
export function follow(page) {
  if (!document.documentElement.dataset.live) return;
  const told = h("span", { id: "live", role: "status" }, "waiting for the run");
  document.getElementById("runs").append(told);
  const source = new EventSource("events" + location.search);
  source.addEventListener("state", (event) => {
    page.runs = [run(JSON.parse(event.data))];
    page.draw().then(() => document.getElementById("runs").append(told));
  });
  source.addEventListener("status", (event) => { told.textContent = visible(JSON.parse(event.data).text, 200); });
  source.addEventListener("end", () => {
    source.close();
    told.textContent = "ended";
    say("The run has ended");
  });
  source.onerror = () => { told.textContent = source.readyState === EventSource.CLOSED ? "disconnected" : "reconnecting …"; };
}
