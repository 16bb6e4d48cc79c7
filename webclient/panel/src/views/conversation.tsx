// A conversation with one person.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { displayName } from "../state/contacts.ts";
import { newConversation } from "../state/messages.ts";
import type { Contact, State } from "../state.ts";
import { Composer } from "./composer.tsx";
import { Icon } from "./icons.tsx";
import { Log, type LogActions } from "./log.tsx";
import { Avatar, Heading, IconButton, Name } from "./parts.tsx";
import { PersonMenu, type PersonActions } from "./person.tsx";
import { Request, type RequestActions } from "./request.tsx";
import { presenceWords } from "./words.ts";

export interface ConversationActions extends LogActions, PersonActions, RequestActions {
  onDraft: (text: string) => void;
  onSend: (text: string) => void;
  onBack: () => void;
  onAskPresence: () => void;
}

interface Props extends ConversationActions {
  state: Pick<State, "contacts" | "conversations" | "consent" | "requests">;
  jid: string;
}

/** What is known of whether they are there; nothing where they show nothing. */
function presence(contact: Contact | undefined): string {
  return contact ? presenceWords[contact.availability] : "";
}

export function ConversationView(props: Props): JSX.Element {
  const { state, jid, onBack, onDraft, onSend, onAskPresence, onRevoke, onRemove } = props;
  const [menu, setMenu] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const contact = state.contacts.get(jid);
  const conversation = state.conversations.get(jid) ?? newConversation(jid);
  const name = displayName(state, jid);
  const request = state.requests.find((r) => r.jid === jid); // beside the list, it shows there
  const word = presence(contact);
  const canAsk = contact !== undefined && !contact.asked && (contact.subscription === "none" || contact.subscription === "from");
  const closeMenu = (): void => {
    setMenu(false);
    more.current?.focus();
  };
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
        {contact && (
          <button ref={more} type="button" class="icon-button" aria-label="About this contact" title="About this contact" aria-expanded={menu} onClick={() => setMenu(!menu)}>
            <Icon name="more" />
          </button>
        )}
      </header>
      {menu && contact && <PersonMenu contact={contact} name={name} onRevoke={onRevoke} onRemove={onRemove} onClose={closeMenu} />}
      {request && <ul class="requests only-narrow"><Request {...props} request={request} /></ul>}
      <Log key={jid} {...props} conversation={conversation} name={name} />
      <Composer jid={jid} name={name} text={conversation.draft} onDraft={onDraft} onSend={onSend} />
    </section>
  );
}
