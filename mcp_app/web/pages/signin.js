/**
 * Signed in or not: the panel that asks for a key, and who the caller is, in the header. The key goes to the server once
 * and is kept nowhere: a cookie that no script can read stands for it. What needs a sign-in is not known here.
 */

import { Problem, signInState, signIn, signOut } from "./api.js";
import { forgetRuns } from "./recent.js";

const NOT_KEPT = {
  message: "The server took the key, and this browser did not keep the sign-in.",
  hint: "Allow cookies for this page, and open it by https.",
};
const $ = (id) => document.getElementById(id);

export class SignIn {
  constructor() {
    this.path = $("sign-in-form").action;
    this.state = {};
    this.done = null; // what is called once somebody has signed in
    $("sign-in-form").addEventListener("submit", (event) => this.submit(event));
    $("sign-out").addEventListener("click", () => this.end());
  }

  /** Ask the server who this page calls as, and show it. */
  async look() {
    this.state = await signInState(this.path);
    const { caller, asks, by_key: byKey, signed_in: isSignedIn } = this.state;
    $("caller").textContent = caller ?? "";
    $("caller").parentElement.hidden = caller === null;
    $("sign-out").parentElement.hidden = !isSignedIn;
    $("sign-in-open").parentElement.hidden = caller !== null || asks || !byKey;
    return this.state;
  }

  /** Whether nothing can be called before somebody signs in. */
  get isNeeded() {
    return this.state.asks && this.state.caller === null;
  }

  /** Show the panel; `reason` is why. Resolves once somebody has signed in. */
  ask(reason = "") {
    const { by_key: byKey } = this.state;
    const isSafe = window.isSecureContext;
    $("sign-in").hidden = false;
    $("sign-in-reason").textContent = reason;
    $("sign-in-reason").hidden = reason === "";
    $("sign-in-about").hidden = !byKey;
    $("sign-in-form").hidden = !byKey || !isSafe;
    $("sign-in-unsafe").hidden = !byKey || isSafe;
    $("sign-in-other").hidden = byKey;
    if (byKey && isSafe) $("key").focus();
    return new Promise((resolve) => (this.done = resolve));
  }

  async submit(event) {
    event.preventDefault();
    if ($("sign-in-button").getAttribute("aria-disabled") === "true") return;
    const key = $("key").value.trim();
    if (key === "") {
      this.complain({ message: "A key, please." });
      return;
    }
    this.complain(null);
    $("sign-in-button").setAttribute("aria-disabled", "true");
    try {
      await signIn(this.path, key);
      const { signed_in: isSignedIn } = await this.look();
      if (!isSignedIn) throw new Problem(NOT_KEPT);
      $("key").value = "";
      $("sign-in").hidden = true;
      this.done?.();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.complain(error.object);
    } finally {
      $("sign-in-button").setAttribute("aria-disabled", "false");
    }
  }

  complain(problem) {
    const hint = problem?.hint === undefined ? "" : ` ${problem.hint}`;
    $("key-problem").textContent = problem === null ? "" : `${problem.message}${hint}`;
    $("key-problem").hidden = problem === null;
    $("key").setAttribute("aria-invalid", String(problem !== null));
    if (problem !== null) $("key").select();
  }

  /** Sign out, and leave nothing of what was called behind: the next at this screen may be somebody else. */
  async end() {
    try {
      await signOut(this.path);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      $("page-error").textContent = `Not signed out: ${error.object.message}`;
      $("page-error").hidden = false;
      return;
    }
    forgetRuns();
    history.replaceState(null, "", location.pathname + location.search);
    location.reload();
  }
}
