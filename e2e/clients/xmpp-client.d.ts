// What is used here of @xmpp/client, which has no types of its own.
declare module '@xmpp/client' {
  export interface Element {
    attrs: Record<string, string | undefined>;
    is(name: string, xmlns?: string): boolean;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildText(name: string): string | null;
  }

  export interface XmppClient {
    on(event: 'stanza', f: (stanza: Element) => void): void;
    on(event: 'online' | 'error', f: () => void): void;
    start(): Promise<unknown>;
    stop(): Promise<unknown>;
    send(stanza: Element): Promise<void>;
    iqCaller: { request(iq: Element): Promise<Element> };
    streamManagement: { on(event: 'resumed', f: () => void): void; outbound_q: readonly unknown[] };
  }

  type Authenticate = (credentials: { username: string; password: string }, mechanism: string) => Promise<void>;

  export function client(options: {
    service: string;
    domain: string;
    credentials: (authenticate: Authenticate, mechanisms: readonly string[]) => Promise<void>;
  }): XmppClient;

  export function xml(name: string, attrs?: Record<string, string>, ...children: (Element | string)[]): Element;
}
