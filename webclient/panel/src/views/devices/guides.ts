/**
 * How to put a password into an app, checked against the apps' own words in autumn 2026. In a step, {address} stands
 * for the chat or SIP address, {user} for its part before the @, {login} for the SIP login, {server} for the server;
 * “quoted” is what the app shows.
 */
import type { Login, Service } from "../../devices/devices.ts";

export interface Guide {
  readonly app: string;
  readonly service: Service;
  /** Where it runs. */
  readonly on: string;
  readonly steps: readonly string[];
  /** Which of the steps is needed only where the login is another than the user. */
  readonly other?: number;
  /** A line to be copied into a file. */
  readonly line?: string;
}

export const guides: readonly Guide[] = [
  {
    app: "Conversations", service: "xmpp", on: "Android",
    steps: [
      "Open Conversations and choose “I already have an account”. If it has an account already: menu, “Manage accounts”, and the plus sign.",
      "Enter {address} as the XMPP address, and the password.",
      "Choose “Next”.",
    ],
  },
  {
    app: "Monal", service: "xmpp", on: "iPhone, iPad and Mac",
    steps: [
      "Open Monal. If it has an account already: “Settings”, and add another.",
      "Enter {address} and the password on the page that lets you log in.",
      "Choose “Login”.",
    ],
  },
  {
    app: "Dino", service: "xmpp", on: "Linux and Windows",
    steps: [
      "Open Dino. If it has an account already: menu, “Preferences”, “Accounts”, and add another.",
      "Enter {address} and choose “Login”.",
      "Enter the password and choose “Login” again.",
    ],
  },
  {
    app: "Gajim", service: "xmpp", on: "Windows, Mac and Linux",
    steps: [
      "Open Gajim. If it has an account already: menu, “Accounts”, “Add Account…”.",
      "Enter {address} and the password, and choose “Log In”.",
      "When it says that this went well, choose “Connect”.",
    ],
  },
  {
    app: "Cheogram", service: "xmpp", on: "Android",
    steps: [
      "Open Cheogram and choose “I already have a Jabber ID”. If it has an account already: menu, “Manage accounts”, and the plus sign.",
      "Enter {address} as the Jabber ID, and the password.",
      "Choose “Next”.",
    ],
  },
  {
    app: "Another app", service: "xmpp", on: "",
    steps: [
      "Choose to log in with an XMPP (or Jabber) account that exists.",
      "Enter {address} and the password. If it asks for more: the server is {server}, and the connection is encrypted.",
    ],
  },
  {
    app: "Linphone", service: "sip", on: "Android, iPhone and computers",
    steps: [
      "Open Linphone, 6.1 or newer, choose “Third-party SIP account” and then “I understand”.",
      "Enter {user} as the username, the password, {server} as the domain, and TLS as the transport.",
      "Open “Advanced settings” and enter {login} as the authentication ID.",
      "Log in.",
    ],
    other: 2,
  },
  {
    app: "Baresip", service: "sip", on: "computers",
    steps: [
      "Close Baresip, and open the file .baresip/accounts in your home folder with a text editor.",
      "Add the line below, with the password in the place of PASSWORD.",
      "Start Baresip again.",
    ],
    line: "<sip:{user}@{server};transport=tls>;auth_user={login};auth_pass=PASSWORD",
  },
  {
    app: "Another phone", service: "sip", on: "",
    steps: [
      "Set {address} as the SIP address: the user is {user}, and the domain or registrar is {server}.",
      "Set {login} as the authentication name, which may also be called auth user or auth ID, and the password.",
      "If it lets you choose the transport, take TLS.",
    ],
  },
];

/** The guide that a device's name speaks of, else the first for its service. */
export function guess(name: string, service: Service): Guide | undefined {
  const fit = guides.filter((guide) => guide.service === service);
  return fit.find(({ app }) => name.toLowerCase().includes(app.toLowerCase())) ?? fit[0];
}

export function stepsFor({ steps, other }: Guide, { login, user }: Login): readonly string[] {
  return login === user ? steps.filter((_, i) => i !== other) : steps;
}

/** A step cut at its placeholders: text, value, text, value, … */
export function filled(step: string, values: Login): readonly string[] {
  return step.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? (values[part as keyof Login] ?? "") : part));
}
