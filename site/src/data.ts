// What is loaded when it is wanted: the numbers of a figure, the words of the book.

const loaded = new Map<string, Promise<unknown>>();

/** The address of this script. */
export const here = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href;

function once<T>(name: string, get: () => Promise<T>): Promise<T> {
  const promise = (loaded.get(name) as Promise<T> | undefined) ?? get();
  loaded.set(name, promise);
  promise.catch(() => loaded.delete(name)); // the next time asks again
  return promise;
}

/** The file `figures/NAME.json` beside this script. */
export const load = <T>(name: string): Promise<T> => once(name, async () => {
  const address = new URL(`figures/${name}.json`, here);
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address.pathname}: ${answer.status}`);
  return answer.json();
});

/** What `NAME.js` beside this script puts into the variable `course.NAME`: a script, as
 * a book opened from a folder can load no JSON. */
export const loadScript = <T>(name: string): Promise<T> => once(name, () =>
  new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = new URL(`${name}.js`, here).href;
    script.onload = () => done((window as unknown as { course: Record<string, T> }).course[name]);
    script.onerror = () => failed(new Error(`${name}.js did not come`));
    document.head.append(script);
  }));

/** Calls back once when an element is nearly on the screen. */
export function whenNear(place: Element, start: () => void): void {
  const watch = new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting)) {
      watch.disconnect();
      start();
    }
  }, { rootMargin: "600px" });
  watch.observe(place);
}
