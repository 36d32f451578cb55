/** A user agent as a program and a system, such as “Firefox on Linux”. An unknown one is shown as it was sent. */
import { m } from '../messages';

// The order decides: most browsers claim to be several others, and name themselves last.
const browsers: [RegExp, string][] = [[/\bEdg(?:e|A|iOS)?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\b(?:Firefox|FxiOS)\//, 'Firefox'], [/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\//, 'Chrome'], [/\bSafari\//, 'Safari'], [/^curl\//, 'curl'], [/^Go-http-client\//, 'Go'], [/^node$|undici|^node-fetch/, 'Node.js']];
const systems: [RegExp, string][] = [[/\b(?:iPhone|iPad)\b/, 'iOS'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'], [/\bMac OS X\b|\bMacintosh\b/, 'macOS'], [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux']];

export function agentLabel(userAgent: string | undefined): string {
  const find = (list: [RegExp, string][]) => list.find(([shape]) => shape.test(userAgent ?? ''))?.[1] ?? '';
  const [browser, system] = [find(browsers), find(systems)];
  return browser === '' && system === '' && userAgent ? userAgent : m.account.agent(browser, system);
}
