/*
 * Trunkline's plugin for Converse.js 14.
 *
 * By itself Converse asks credentials_url again every two seconds for as long as it
 * is refused, logs in again every three seconds with passwords that are not taken,
 * waits for ever when the answer is a page instead of JSON, and gives up for good
 * when the server is away for a moment. With this plugin each password is asked for
 * once, and what happens then depends on the answer:
 *
 *   signed out (401)         one event; the next question comes after the next login. What
 *                            the page knew of whoever was there is forgotten
 *   refused (403), or three  one event; the next question comes when the page asks for
 *   passwords not taken      it, or after the next login
 *   anything else            further tries at growing, random distances; after eight in a
 *                            row one event, then as above
 *
 * Events on window, for the page:
 *
 *   trunkline:signed-out     nobody is logged in here: offer /auth/login?mode=popup
 *   trunkline:refused        detail.message, for people
 *   trunkline:waiting        detail.seconds until the next try
 *   trunkline:stopped        no further try by itself
 *   trunkline:connected      the chat works
 *
 * and from the page: trunkline:try-again. The login's window is listened to here.
 */
'use strict';

(() => {
  const FIRST_WAIT = 2; // seconds
  const LONGEST_WAIT = 60; // seconds
  const DAY = 86_400; // seconds: no wait is longer, whatever the server says
  const TRIES = 8; // in a row, before a person has to ask
  const PASSWORDS = 3; // refused in a row, likewise
  const ANSWER = 30_000; // milliseconds
  const FORGET = 'trunkline-forget';

  const tell = (name, detail) => dispatchEvent(new CustomEvent(`trunkline:${name}`, { detail }));

  /** Decides when a password may be asked for. There is one, for one question at a time. */
  class Gate {
    #tries = 0; // in a row that came to nothing
    #refusals = 0; // passwords in a row that the server did not take
    #wake = null; // ends the wait
    #turn = 0; // counts the questions: only the newest one goes on
    #pause = Promise.resolve(); // over when the next question may be asked

    constructor() {
      addEventListener('trunkline:try-again', () => this.#person());
      addEventListener('message', (event) => {
        const login = event.origin === location.origin && event.data?.type === 'trunkline:login';
        if (login && event.data.ok === true) this.#person();
      });
    }

    /** A new question: it takes the place of one that still waits, and waits as long as that one. */
    begin() {
      return (this.#turn += 1);
    }

    get pause() {
      return this.#pause;
    }

    current(turn) {
      return this.#turn === turn;
    }

    /** Somebody at the page wants it: everything begins anew. */
    #person() {
      this.#tries = 0;
      this.#refusals = 0;
      this.#wake?.();
    }

    connected() {
      this.#tries = 0;
      this.#refusals = 0;
      tell('connected');
    }

    /** Waits for a person, who is told by the event of this name. */
    person(name, detail) {
      this.#pause = this.#until();
      tell(name, detail);
      return this.#pause;
    }

    /** Waits a while, longer each time; seconds is the least, when the server has said so. */
    while(seconds = 0) {
      this.#tries += 1;
      if (this.#tries > TRIES) return this.person('stopped');
      const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.#tries - 1));
      const wait = Math.max(seconds, Math.ceil(most * (0.5 + Math.random() / 2)));
      this.#pause = this.#until(wait);
      tell('waiting', { seconds: wait });
      return this.#pause;
    }

    /** Waits after a password that the server has not taken. The first may just have run out. */
    refused() {
      this.#refusals += 1;
      if (this.#refusals < PASSWORDS) return this.while();
      return this.person('refused', { message: 'The chat server does not let you in.' });
    }

    #until(seconds) {
      return new Promise((resolve) => {
        const timer = seconds === undefined ? 0 : setTimeout(() => this.#wake?.(), seconds * 1000);
        this.#wake = () => {
          clearTimeout(timer);
          this.#wake = null;
          resolve();
        };
      });
    }
  }

  /** What an answer of credentials_url says: { credentials }, or why there are none. */
  function read(xhr) {
    const json = /^application\/json\b/i.test(xhr.getResponseHeader('Content-Type') ?? '');
    let body = null;
    try {
      body = json ? JSON.parse(xhr.responseText) : null;
    } catch {
      body = null;
    }
    if (xhr.status === 401) return { signedOut: true };
    if (xhr.status === 403) return { refused: true, message: body?.message ?? 'You may not use the chat.' };
    const whole = xhr.status === 200 && typeof body?.jid === 'string' && typeof body?.password === 'string';
    if (whole) return { credentials: body };
    return { after: retryAfter(xhr.getResponseHeader('Retry-After')) };
  }

  /** The seconds that a Retry-After asks for, as a number or as a date (RFC 9110 section 10.2.3); 0 without one. */
  function retryAfter(value) {
    const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
    return Math.min(DAY, Math.max(0, seconds || 0));
  }

  /**
   * Lets an answer through to Converse only if it is credentials; asks again by the gate's rules otherwise.
   * whose.accept(credentials) may refuse them, whose.leave() is called when nobody is signed in any more.
   */
  function guard(gate, turn, xhr, url, whose) {
    const take = xhr.onload;
    const next = async (wait) => {
      await wait;
      if (!gate.current(turn)) return;
      xhr.open('GET', url, true);
      xhr.setRequestHeader('Accept', 'application/json');
      xhr.send();
    };
    xhr.timeout = ANSWER;
    xhr.onerror = () => next(gate.while());
    xhr.ontimeout = xhr.onerror;
    xhr.onload = () => {
      const answer = read(xhr);
      if (answer.credentials) {
        if (whose.accept(answer.credentials)) take.call(xhr);
      } else if (answer.signedOut) next(whose.leave(gate.person('signed-out')));
      else if (answer.refused) next(gate.person('refused', { message: answer.message }));
      else next(gate.while(answer.after));
    };
    return xhr;
  }

  /** Empties the tab's storage; once more when it is loaded again, for Converse writes on its way out. */
  function clear(again) {
    sessionStorage.clear();
    if (again) sessionStorage.setItem(FORGET, 'yes');
  }
  if (sessionStorage.getItem(FORGET)) clear(false);

  /** The person whose chat this page shows. It shows one person's in its life. */
  class Whose {
    #jid = '';

    accept(credentials) {
      const jid = credentials.jid.split('/')[0].toLowerCase();
      if (this.#jid && this.#jid !== jid) return this.#forget();
      this.#jid = jid;
      return true;
    }

    /** Nobody is signed in; login is over when somebody has logged in again. */
    async leave(login) {
      if (this.#jid) clear(true);
      await login;
      if (this.#jid) await new Promise(() => this.#forget());
    }

    #forget() {
      clear(true);
      location.reload();
      return false;
    }
  }

  converse.plugins.add('trunkline', {
    initialize() {
      const { _converse } = this;
      const { api } = _converse;
      const { Strophe } = converse.env;
      const gate = new Gate();
      const whose = new Whose();
      let tried = false; // a password was handed over, and it is not known yet what came of it

      const up = () => {
        tried = false;
        gate.connected();
      };
      // Converse may ask several times about one failure.
      const failed = () => {
        const refused = api.connection.get()?.disconnection_cause === Strophe.Status.AUTHFAIL;
        if (tried && refused) gate.refused();
        else if (tried) gate.while();
        tried = false;
      };
      api.listen.on('connected', up);
      api.listen.on('reconnected', up);
      // Converse resumes a stream once. After that it begins a new one at each cut, and what was on
      // its way then is lost.
      api.listen.on('reconnected', () => _converse.session.save({ smacks_resumed: false }));

      api.listen.on('beforeFetchLoginCredentials', async (_context, xhr) => {
        const turn = gate.begin();
        failed();
        await gate.pause;
        if (!gate.current(turn)) await new Promise(() => {}); // a newer one goes on
        return guard(gate, turn, xhr, api.settings.get('credentials_url'), {
          accept: (credentials) => (tried = whose.accept(credentials)),
          leave: (login) => whose.leave(login),
        });
      });

      // Where Converse gives up, because nobody answered while it connected.
      api.listen.on('disconnected', async () => {
        const turn = gate.begin();
        failed();
        await gate.pause;
        if (gate.current(turn)) await api.user.login();
      });
    },
  });
})();
