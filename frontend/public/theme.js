// Before the first paint: a chosen theme must not flash (without a choice the style sheet follows the system), and the
// outline of the dashboard is for who is logged in.
try {
  const theme = localStorage.getItem('nimbus.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  if (localStorage.getItem('nimbus.session') === null) document.documentElement.dataset.visitor = '';
} catch {
  document.documentElement.dataset.visitor = ''; // storage is closed to this page
}
