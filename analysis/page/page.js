// What the page does when it is opened.

const EXAMPLES = JSON.parse(document.getElementById("data").textContent);

if (EXAMPLES) new Browser(document.getElementById("browser"), EXAMPLES);
else document.getElementById("browser").append(html("p", { class: "empty" }, "No answers to single puzzles were kept."));

document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, root = document.documentElement;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
