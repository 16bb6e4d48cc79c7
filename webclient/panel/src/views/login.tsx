// Before somebody is logged in, and when that does not work.
import type { JSX } from "preact";
import type { Instance, SignedOutReason } from "../state.ts";
import { Icon } from "./icons.tsx";
import { Heading, Problem, Spinner, useNow } from "./parts.tsx";
import { signedOutWords } from "./words.ts";

interface Props {
  instance: Instance;
  onLogin: () => void;
}

function LoginButton({ instance, onLogin, again = false }: Props & { again?: boolean }): JSX.Element {
  return (
    <button type="button" class="primary wide" onClick={onLogin}>
      {again ? "Try again" : <span>Log in with <bdi>{instance.name}</bdi></span>}
    </button>
  );
}

export function SignedOut({ instance, reason, message, onLogin }: Props & { reason: SignedOutReason; message?: string | undefined }): JSX.Element {
  return (
    <div class="page center">
      <div class="page-body">
        <span class="mark"><Icon name="bubbles" size={40} /></span>
        <Heading>Chat with people you follow</Heading>
        {reason === "none"
          ? <p class="lead">Real conversations, right beside your timeline. You use the account that you already have.</p>
          : <p class="lead" role="status">{message ?? signedOutWords[reason]}</p>}
        <LoginButton instance={instance} onLogin={onLogin} />
        <p class="fine"><Icon name="lock" size={16} /><span>Nobody sees that you are here until you say so.</span></p>
      </div>
    </div>
  );
}

interface PendingProps {
  instance: Instance;
  blocked: boolean;
  redirectUrl: string;
  onLogin: () => void;
  onCancel: () => void;
}

export function LoginPending({ instance, blocked, redirectUrl, onLogin, onCancel }: PendingProps): JSX.Element {
  return (
    <div class="page center">
      <div class="page-body">
        <span class="mark"><Icon name="tab" size={40} /></span>
        <Heading>{blocked ? "The window was blocked" : "Log in in the other window"}</Heading>
        {blocked
          ? <p class="lead">Your browser did not open the login window. You can log in on this page instead, and come back here.</p>
          : <p class="lead">A window of <bdi>{instance.name}</bdi> is open. This goes on by itself when you are done there.</p>}
        {blocked
          ? <a class="button primary wide" href={redirectUrl} target="_top">Log in on this page</a>
          : <Spinner label="Waiting for the login" />}
        <div class="row-of-buttons">
          {blocked && <button type="button" class="plain" onClick={onLogin}>Try the window again</button>}
          <button type="button" class="plain" onClick={onCancel}>Cancel</button>
        </div>
      </div>
    </div>
  );
}

export function LoginError({ instance, message, onLogin }: Props & { message: string }): JSX.Element {
  return (
    <div class="page center">
      <div class="page-body">
        <span class="mark"><Icon name="bubbles" size={40} /></span>
        <Heading>That did not work</Heading>
        <Problem>{message}</Problem>
        <LoginButton instance={instance} onLogin={onLogin} again />
      </div>
    </div>
  );
}

/** "in 8 seconds", or "now". */
export function Countdown({ until }: { until: number }): JSX.Element {
  const seconds = Math.max(0, Math.ceil((until - useNow(1000)) / 1000));
  return <>{seconds > 0 ? `in ${seconds} s` : "now"}</>;
}

export function ServerDown({ retryAt, onRetry }: { retryAt: number; onRetry: () => void }): JSX.Element {
  return (
    <div class="page center">
      <div class="page-body">
        <span class="mark"><Icon name="cloud" size={40} /></span>
        <Heading>The chat does not answer</Heading>
        <p class="lead">Nothing is lost. It is tried again <Countdown until={retryAt} />.</p>
        <button type="button" class="primary wide" onClick={onRetry}>Try now</button>
      </div>
    </div>
  );
}

export function Loading(): JSX.Element {
  return <div class="page center"><Spinner label="Loading your chat" /></div>;
}
