/** The icons of files, and of what is done with a message: not seen at once. */

export const CLOSE = "M6 6l12 12M18 6 6 18";
export const EDIT = "M4 20l1-4L16 5l3 3L8 19z";
export const FILE = "M14 3H6v18h12V7zM14 3v4h4";
export const REACT = "M9 10v.1M15 10v.1M8.5 14.5a4.5 4.5 0 0 0 7 0M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18";
export const REMOVE = "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13";
export const REPLY = "M9 6l-5 5 5 5M4 11h9a7 7 0 0 1 7 7";
