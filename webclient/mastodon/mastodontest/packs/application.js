// The web app's behaviour, as far as something embedded in the page can notice it:
// routing without reloads, hotkeys on the document, modals, theme, signing out.
(function () {
  'use strict';

  const root = document.getElementById('mastodon');
  if (!root) return;
  const newer = root.classList.contains('with-bar'); // ≥ 4.4
  const $ = (selector) => document.querySelector(selector);
  const csrf = () => $('meta[name=csrf-token]')?.content ?? '';
  document.body.classList.add('layout-single-column');

  // --- routes -------------------------------------------------------------
  const titles = {
    explore: 'Explore', public: 'Live feeds', conversations: 'Private mentions', bookmarks: 'Bookmarks',
    favourites: 'Favourites', lists: 'Lists', search: 'Search',
  };
  const compose = $('[data-js=compose]');
  const composeHome = compose?.parentElement;

  function routeOf(path) {
    const first = path.split('/')[1] || 'home';
    return first in titles || first === 'notifications' || first === 'publish' ? first : 'home';
  }

  function show(route) {
    const shown = route in titles && route !== 'explore' && route !== 'public' ? 'empty' : route in titles ? 'home' : route;
    for (const column of document.querySelectorAll('.column')) column.hidden = column.dataset.route !== shown;
    const title = titles[route] ?? 'Home';
    $('[data-js=empty-title]').textContent = title;
    $('[data-js=title]').textContent = title;
    for (const link of document.querySelectorAll('[data-route-link]:not(.button, [class*=logo])')) {
      if (link.dataset.routeLink === route) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (compose) (route === 'publish' ? $('.publish-slot') : composeHome).append(compose);
    if (compose && route !== 'publish') composeHome.querySelector('.flex-spacer').before(compose);
    document.title = (route === 'home' ? '' : (titles[route] ?? route[0].toUpperCase() + route.slice(1)) + ' - ') +
      JSON.parse($('#initial-state').textContent).meta.title;
  }

  function go(path) {
    if (path !== location.pathname) history.pushState(null, '', path);
    openMenu(false);
    show(routeOf(path));
    window.scrollTo(0, 0);
  }

  window.addEventListener('popstate', () => show(routeOf(location.pathname)));
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-route-link]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.getAttribute('href'));
  });

  // --- menu on phones -------------------------------------------------------
  const menuButton = $('[data-js=menu]');
  function openMenu(open) {
    $('#menu').classList.toggle('open', open);
    menuButton?.setAttribute('aria-expanded', String(open));
  }
  menuButton?.addEventListener('click', () => openMenu(menuButton.getAttribute('aria-expanded') !== 'true'));

  // --- posts ----------------------------------------------------------------
  function press(button) {
    if (!button?.hasAttribute('aria-pressed')) return;
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    const count = button.querySelector('span');
    if (count) count.textContent = String(Number(count.textContent) + (on ? 1 : -1));
  }

  function reply(status) {
    if (!compose) return;
    const to = status.querySelector('.display-name__account').textContent;
    if (compose.offsetParent === null) go('/publish');
    const text = compose.querySelector('textarea');
    text.value = to + ' ' + text.value;
    text.focus();
    text.dispatchEvent(new Event('input'));
  }

  root.addEventListener('click', (event) => {
    const button = event.target.closest('[data-act]');
    if (!button) return;
    if (button.dataset.act === 'reply') reply(button.closest('.status'));
    else press(button);
  });

  if (compose) {
    const text = compose.querySelector('textarea');
    const count = () => {
      $('[data-js=counter]').textContent = String(500 - text.value.length);
    };
    text.addEventListener('input', count);
    compose.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!text.value.trim()) return;
      const state = JSON.parse($('#initial-state').textContent);
      const me = state.accounts[state.meta.me];
      const post = $('.status').cloneNode(true);
      post.querySelector('.status__prepend, .media-gallery')?.remove();
      post.querySelector('.avatar').src = me?.avatar ?? '/packs/missing.svg';
      post.querySelector('strong').textContent = me?.display_name ?? '';
      post.querySelector('.display-name__account').textContent = '@' + (me?.acct ?? '');
      post.querySelector('time').textContent = 'now';
      const paragraph = document.createElement('p');
      paragraph.textContent = text.value;
      post.querySelector('.status__content').replaceChildren(paragraph);
      for (const number of post.querySelectorAll('.icon-button span')) number.textContent = '0';
      $('.item-list').prepend(post);
      text.value = '';
      count();
      go('/home');
    });
  }
  $('[data-js=search]').addEventListener('submit', (event) => {
    event.preventDefault();
    go('/search');
  });

  // --- appearance -------------------------------------------------------------
  const themes = { auto: 'theme-system', light: 'theme-mastodon-light', dark: 'theme-default' };
  function wear(scheme, contrast) {
    const html = document.documentElement;
    if (!newer && !('colorScheme' in html.dataset)) {
      document.body.classList.remove('theme-contrast', ...Object.values(themes));
      document.body.classList.add(contrast === 'high' ? 'theme-contrast' : themes[scheme]);
      return;
    }
    if (scheme === 'auto') html.dataset.systemTheme = 'true';
    else delete html.dataset.systemTheme;
    const dark = scheme === 'auto' ? matchMedia('(prefers-color-scheme: dark)').matches : scheme === 'dark';
    html.dataset.colorScheme = dark ? 'dark' : 'light';
    html.dataset.contrast = contrast === 'high' ? 'high' : 'default';
  }

  $('[data-js=appearance]').addEventListener('change', (event) => {
    const form = new FormData(event.currentTarget);
    const scheme = form.get('color_scheme');
    const contrast = form.get('contrast') ?? 'default';
    wear(scheme, contrast);
    if (csrf()) {
      fetch('/settings/preferences/appearance', {
        method: 'PUT',
        headers: { 'X-CSRF-Token': csrf() },
        body: new URLSearchParams({ color_scheme: scheme, contrast }),
      });
    }
  });

  // --- signing out ------------------------------------------------------------
  $('[data-js=logout]')?.addEventListener('click', async () => {
    const answer = await fetch('/auth/sign_out', {
      method: 'DELETE',
      headers: { 'X-CSRF-Token': csrf(), Accept: 'application/json' },
    });
    if (answer.ok) location.href = (await answer.json()).redirect_to;
  });

  // --- the list of shortcuts, a modal -------------------------------------------
  const modal = $('.modal-root');
  let before = null;
  function openModal(open) {
    if (open === !modal.hidden) return;
    modal.hidden = !open;
    if (newer) document.documentElement.classList.toggle('has-modal', open);
    else document.body.classList.toggle('with-modals--active', open);
    for (const sibling of modal.parentElement.children) if (sibling !== modal) sibling.inert = open;
    if (open) {
      before = document.activeElement;
      modal.querySelector('[data-close]').focus();
    } else before?.focus();
  }
  modal.querySelector('[data-close]').addEventListener('click', () => openModal(false));
  $('.modal-root__overlay').addEventListener('click', () => openModal(false));
  window.addEventListener('keyup', (event) => {
    if (event.key === 'Escape') openModal(false);
  });
  window.addEventListener('keydown', (event) => {
    if (event.key !== 'Tab' || modal.hidden) return;
    event.preventDefault(); // the only thing to focus
    modal.querySelector('[data-close]').focus();
  });

  // --- hotkeys: on the document, unless typed into a field ------------------------
  function move(by) {
    const all = [...document.querySelectorAll('.column:not([hidden]) .status')];
    const at = all.indexOf(document.activeElement?.closest('.status'));
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
  }
  const current = () => document.activeElement?.closest('.status');
  const act = (name) => press(current()?.querySelector(`[data-act=${name}]`));
  const keys = {
    n: () => {
      if (compose && compose.offsetParent === null) go('/publish');
      compose?.querySelector('textarea').focus();
    },
    s: () => $('#search').focus(),
    '/': () => $('#search').focus(),
    j: () => move(1),
    k: () => move(-1),
    f: () => act('favourite'),
    b: () => act('boost'),
    r: () => current() && reply(current()),
    '?': () => openModal(true),
    Backspace: () => history.back(),
    'g h': () => go('/home'),
    'g n': () => go('/notifications'),
    'g d': () => go('/conversations'),
  };
  let prefix = '';
  (newer ? document : window).addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (['INPUT', 'TEXTAREA', 'SELECT'].includes(event.target?.tagName)) return;
    const combined = prefix + event.key;
    prefix = event.key === 'g' ? 'g ' : '';
    const action = keys[combined] ?? keys[event.key];
    if (!action || !modal.hidden) return;
    event.preventDefault();
    action();
  });

  show(routeOf(location.pathname));
})();
