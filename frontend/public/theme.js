// Before the first paint, so that a chosen theme does not flash: without a choice the style sheet follows the system.
try {
  const theme = localStorage.getItem('nimbus.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed to this page; the system's theme it is.
}
