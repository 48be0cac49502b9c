/** Light or dark: as the system has it, or as it was chosen here. */
import { byId } from "./dom.js";

const KEPT = "ollama-optimizer.theme";

/** @param {() => void} onChange called at once too */
export function startTheme(onChange) {
  const choice = byId("theme", HTMLSelectElement);
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const system = systemIsDark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = choice.value === "system" ? system : choice.value;
    onChange();
  };
  choice.value = localStorage.getItem(KEPT) ?? "system";
  if (choice.selectedIndex < 0) choice.value = "system";
  choice.addEventListener("change", () => {
    localStorage.setItem(KEPT, choice.value);
    apply();
  });
  systemIsDark.addEventListener("change", apply);
  apply();
}
