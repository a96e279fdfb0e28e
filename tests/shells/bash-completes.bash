# bash-completes.bash SCRIPT WORD…: what a bash offers in place of the last word, one word a line.
source "$1"
shift
function=$(complete -p "$1" | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
