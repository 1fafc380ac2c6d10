// The numbers that a chapter's run left for its figure.

const loaded = new Map<string, Promise<unknown>>();

/** The address of this script. */
export const here = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

/** The file NAME.json beside this script, once for all figures of a page. */
export function load<T>(name: string): Promise<T> {
  const address = new URL(`figures/${name}.json`, here);
  const promise = loaded.get(name) ?? fetch(address).then((answer) => {
    if (!answer.ok) throw new Error(`${address.pathname}: ${answer.status}`);
    return answer.json();
  });
  loaded.set(name, promise);
  return promise as Promise<T>;
}

/** Calls back once when an element is nearly on the screen. */
export function whenNear(place: Element, start: () => void): void {
  const watch = new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting)) {
      watch.disconnect();
      start();
    }
  }, { rootMargin: "300px" });
  watch.observe(place);
}
