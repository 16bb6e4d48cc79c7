/**
 * Words for a failed login when only its code came back (redirect in place of a popup). With a popup the server's
 * own sentence is shown.
 */
const SENTENCES: Readonly<Record<string, string>> = {
  denied: "You did not allow the chat to use your account. You can try again whenever you like.",
  expired: "The login took too long. Please start again.",
  used: "This login was already finished once. Please start again.",
  state_mismatch: "This login was started in another browser. Please start again here.",
  account_disabled: "This account is disabled on Mastodon, so it cannot chat.",
  account_suspended: "This account is suspended on Mastodon, so it cannot chat.",
  account_blocked: "Your chat account was suspended by this server's admins.",
  account_deleted: "This account was deleted on Mastodon, so it cannot chat.",
  account_moved: "This account has moved. Log in with the new one.",
  account_unconfirmed: "Confirm your e-mail address on Mastodon first, then log in again.",
  mastodon_down: "Mastodon does not answer right now. Please try again in a few minutes.",
  mastodon_invalid: "Mastodon gave an answer that makes no sense. Please try again, or tell your administrators.",
  mastodon_busy: "Mastodon is busy. Please wait a few minutes and try again.",
  popup_needed: "Your browser blocked the login window. Allow windows for this page, then try again.",
  name_taken: "This name belonged to another account before. Please ask your administrators to release it.",
};

/** A plain sentence for a login error code. */
export function loginError(code: string): string {
  return SENTENCES[code] ?? "The login did not work. Please try again.";
}
