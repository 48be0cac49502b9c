/** English words that comparison needs by their meaning. */

const list = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/));

/** Words that say nothing of what is asked. */
export const FUNCTION_WORDS: ReadonlySet<string> = list(`
a an the this that these those some any all each every either both such
i me my mine myself you your yours we us our ours he him his she her hers it its they them their theirs
one someone somebody anyone person people
am is are was were be been being do does did done have has had having will would shall should can could may might must
and or but if then than so as of at by for from in into on onto to with about through during upon per via using while
because when where which what who whom whose why how
there here also just only please kindly tell give show let know want need like help explain describe name say
get got make made way step steps able possible possibly work works working question answer command tip idea ideas
exactly actually really currently current now today again very much many more most lot
ok okay hi hello thanks still done`);

/** Verbs and question words that begin a sentence with a capital letter. */
export const SENTENCE_STARTERS: ReadonlySet<string> = list(`
can could may might must shall should will would do does did is are am was were has have had
what which who whom whose when where why how if in on at to from for with by of as after before during while within
please tell give show explain describe name list find calculate compute convert translate write draft compose create
make work summarize steps tips recipe recipes meaning help i my we our the a an is there it this that
would using adding removing installing starting stopping reading blocking baking exporting importing
print sort run add remove delete set open close start stop price monthly weekly yearly daily blank`);

/** Words that turn what is said into its contrary. German, French, Spanish, Italian and Dutch beside English. */
export const NEGATIONS: ReadonlySet<string> = list(`
not no never none nothing nobody nowhere neither nor without except excluding unless instead outside hardly rarely
lacking barely scarcely seldom avoid avoids avoiding avoided refuse refuses refused refusing against nicht kein keine keinen nie ohne pas jamais sans nunca sin sem senza mai niet geen zonder`);

/** Pairs of opposites; a word may stand in several. */
export const OPPOSITES: readonly (readonly [string, string])[] = `
increase decrease|increase reduce|increase lower|raise lower|raise reduce|higher lower|high low|up down|upgrade downgrade
large small|larger smaller|largest smallest|big small|bigger smaller|biggest smallest|long short|longer shorter
longest shortest|tall short|tallest shortest|highest lowest|most least|more less|more fewer|maximum minimum|max min
first last|before after|earlier later|earliest latest|old new|older newer|oldest newest|early late|begin end|start stop
start end|start finish|open close|open shut|enable disable|activate deactivate|on off|allow forbid|allow deny|allow block
allow prohibit|accept reject|accept refuse|accept decline|add remove|add delete|create delete|create remove|insert delete
install remove|buy sell|import export|upload download|send receive|push pull|lock unlock|block unblock|hide show
encrypt decrypt|compress decompress|encode decode|connect disconnect|subscribe unsubscribe|follow unfollow|mute unmute
login logout|in out|inside outside|above below|over under|left right|top bottom|front back|north south|east west
hot cold|warm cold|summer winter|day night|morning evening|am pm|ascending descending|increasing decreasing
rise fall|gain lose|win lose|profit loss|income expense|credit debit|lend borrow|give take|arrive depart|arrive leave
push pull|love hate|like dislike|good bad|better worse|best worst|easy hard|easy difficult|fast slow|faster slower
cheap expensive|cheapest expensive|rich poor|strong weak|safe dangerous|secure insecure|legal illegal|true false|positive negative
success failure|succeed fail|pass fail|with without|include exclude|inclusive exclusive|public private|internal external
horizontal vertical|row column|input output|client server|male female|man woman|husband wife|father mother|son daughter
alive dead|born die|heavy light|wet dry|full empty|thick thin|wide narrow|deep shallow|polite rude|formal informal
cause prevent|approve reject|hire fire|freeze melt|melt boil|inhale exhale|attack defend|prime composite|odd even
hello goodbye|question answer|problem solution|antonym synonym|advantage disadvantage|pro con|renew cancel|pause cancel
brief detailed|short detailed|briefly detailed|local remote|read write|renewal cancellation|entry exit|permit forbid
single married|present absent|past future|too enough|within after|before while
before during|after while|after during|until after|allow illegal|permit illegal|cover exclude|include except|contain lack
minimum maximum|addition subtraction|plus minus|multiply divide`
  .split(/[|\n]/)
  .map((pair) => pair.trim().split(" "))
  .filter((pair): pair is [string, string] => pair.length === 2);

/** Words of one meaning where it matters to a question; the first stands for all. */
export const SYNONYMS: readonly (readonly string[])[] = `
enable activate|largest biggest|large big|increase raise|buy purchase|quick fast|fix repair
allow permit|allow possible|forbid prohibit ban|disable deactivate|need require must necessary|travel trip visit enter|born birth|dish meal recipe cook|run start launch|stop end finish|last life|required necessary
remove delete|use using through purpose|picture image photo|show display|error failure|cost price|movie film|car automobile|phone telephone
company firm|child kid|legal lawful|secure safe|high higher tall height elevation|highest tallest|author writer
founder found|empty blank|cancel cancellation|brief short shortly|summary summarize summarise|country nation|city town|reset recover|mail email`
  .split(/[|\n]/)
  .map((group) => group.trim().split(" "))
  .filter((group) => group.length > 1);
