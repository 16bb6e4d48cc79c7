// A conversation with one person.
import type { JSX } from "preact";
import { displayName } from "../state/contacts.ts";
import { newConversation } from "../state/messages.ts";
import type { Contact, State } from "../state.ts";
import { Composer } from "./composer.tsx";
import { Log, type LogActions } from "./log.tsx";
import { Avatar, Heading, IconButton, Name } from "./parts.tsx";
import { presenceWords } from "./words.ts";

export interface ConversationActions extends LogActions {
  onDraft: (text: string) => void;
  onSend: (text: string) => void;
  onBack: () => void;
  onAskPresence: () => void;
}

interface Props extends ConversationActions {
  state: Pick<State, "contacts" | "conversations">;
  jid: string;
}

/** What is known of whether they are there; nothing where they show nothing. */
function presence(contact: Contact | undefined): string {
  return contact ? presenceWords[contact.availability] : "";
}

export function ConversationView(props: Props): JSX.Element {
  const { state, jid, onBack, onDraft, onSend, onAskPresence } = props;
  const contact = state.contacts.get(jid);
  const conversation = state.conversations.get(jid) ?? newConversation(jid);
  const name = displayName(state, jid);
  const word = presence(contact);
  const canAsk = contact !== undefined && !contact.asked && (contact.subscription === "none" || contact.subscription === "from");
  return (
    <section class="conversation" aria-label={`Chat with ${name}`}>
      <header class="bar">
        <IconButton icon="back" label="Back to your chats" onClick={onBack} class="only-narrow flip" />
        <Avatar src={contact?.avatar ?? ""} name={name} seed={jid} availability={contact?.availability ?? "unknown"} />
        <div class="bar-title">
          <Heading focus={!matchMedia("(pointer: fine)").matches}><Name>{name}</Name></Heading>
          <p class="sub">{word && <>{word} · </>}<bdi dir="ltr">{jid}</bdi></p>
        </div>
        {canAsk && <IconButton icon="eye" label="Ask to see when they are online" onClick={onAskPresence} />}
        {contact?.asked && <span class="note" title="You asked to see when they are online; they have not answered yet.">Asked</span>}
      </header>
      <Log key={jid} {...props} conversation={conversation} name={name} />
      <Composer jid={jid} name={name} text={conversation.draft} onDraft={onDraft} onSend={onSend} />
    </section>
  );
}
