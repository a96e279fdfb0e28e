# zsh-completes.zsh SCRIPT LINE: what a zsh offers for the line, one word a line. Completion works in an interactive shell alone,
# so there is one on a terminal of its own, which tells what is about to be added to its list.
zmodload zsh/zpty
script=$1 line=$2
zpty shell zsh -f -i
zpty -w shell "PS1= PS2= RPS1=; stty -echo; autoload -Uz compinit; compinit -u -D; source ${(q)script}"
zpty -w shell 'tell() { local -a words; builtin compadd -A words "$@"; local word; for word in $words; do print -r -- "OFFER $word"; done }'
zpty -w shell 'compadd() { [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] || tell "$@"; builtin compadd "$@" }'
zpty -w shell 'finish() { zle complete-word; print DONE; exit }; zle -N finish; bindkey "^I" finish; print READY'
zpty -r shell said '*READY*'
zpty -n -w shell "$line"$'\t'
zpty -r shell said '*DONE*'
print -r -- "$said" | tr -d '\r' | sed -n 's/^.*OFFER //p'
