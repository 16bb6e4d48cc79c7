(function (element) {
  const wanted = { colorScheme: element.dataset.colorScheme, contrast: element.dataset.contrast };
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const more = window.matchMedia('(prefers-contrast: more)');
  function apply() {
    const auto = element.dataset.systemTheme === 'true';
    if (auto || wanted.colorScheme === 'auto') element.dataset.colorScheme = dark.matches ? 'dark' : 'light';
    if (wanted.contrast === 'auto') element.dataset.contrast = more.matches ? 'high' : 'default';
  }
  if (wanted.colorScheme === 'auto') element.dataset.systemTheme = 'true';
  apply();
  dark.addEventListener('change', apply);
  more.addEventListener('change', apply);
})(document.documentElement);
